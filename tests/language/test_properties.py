"""What holds for all inputs: expansion, expressions, globs, merges and the reading of YAML."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from shipline.language import Variable
from shipline.language.documents import read_documents
from shipline.language.expansion import expand, expand_all, loops
from shipline.language.expressions import ExpressionError, holds, parse
from shipline.language.globs import glob_matches
from shipline.language.values import Place, located, merged, plain

settings.register_profile("language", deadline=None, max_examples=150)
settings.load_profile("language")

NAMES = st.sampled_from(["A", "B", "C", "D", "E"])
WORDS = st.text("ab .-/:", max_size=6)
TEXTS = st.lists(
    st.one_of(WORDS, NAMES.map("${}".format), NAMES.map("${{{}}}".format), NAMES.map("%{}%".format)), max_size=4
)
VARIABLES = st.dictionaries(NAMES, TEXTS.map("".join), max_size=5)
BRACED = st.lists(st.one_of(WORDS, NAMES.map("${{{}}}".format)), max_size=4).map("".join)
BRACED_VARIABLES = st.dictionaries(NAMES, BRACED, max_size=5)


@given(st.text(), VARIABLES)
def test_a_text_without_references_stays(text, values):
    bare = re.sub(r"[$%]", "", text)
    assert expand(bare, values) == bare


@given(TEXTS.map("".join), VARIABLES)
def test_expansion_puts_values_in_once(text, values):
    pattern = r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})|%([A-Za-z_]\w*)%"
    by_hand = re.sub(pattern, lambda match: values.get(match[1] or match[2] or match[3], ""), text, flags=re.ASCII)
    assert expand(text, values) == by_hand


def reached(values, start):
    """The names that a variable reads, through others."""
    seen, waiting = set(), [start]
    while waiting:
        for name in re.findall(r"\$\{([A-E])", values[waiting.pop()]):
            if name in values and name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen


@given(BRACED_VARIABLES)
def test_a_loop_is_found_where_a_variable_reads_itself_through_others(values):
    variables = [Variable(key, text) for key, text in values.items()]
    found = {name for ring in loops(variables) for name in ring}
    reach = {name: reached(values, name) for name in values}
    ringed = {name for name in values if any(other != name and name in reach[other] for other in reach[name])}
    assert found == ringed


@given(BRACED_VARIABLES)
def test_expanding_a_list_keeps_its_names_and_leaves_no_known_reference(values):
    variables = [Variable(key, text) for key, text in values.items()]
    expanded = expand_all(variables, keep_undefined=True)
    assert sorted(item.key for item in expanded) == sorted(values)
    if not loops(variables) and not any(key in reached(values, key) for key in values):
        again = expand_all(expanded, keep_undefined=True)
        assert {item.key: item.value for item in again} == {item.key: item.value for item in expanded}


LITERALS = st.one_of(
    NAMES.map(lambda name: ("$" + name, lambda values: values.get(name))),
    st.text("xy", max_size=2).map(lambda text: (f'"{text}"', lambda values: text)),
    st.just(("null", lambda values: None)),
)
COMPARISONS = {"==": lambda a, b: a == b, "!=": lambda a, b: a != b}


def joined(parts):
    (left, read_left), operator, (right, read_right) = parts

    def value(values):
        if operator in COMPARISONS:
            return COMPARISONS[operator](read_left(values), read_right(values))
        first = read_left(values)
        stops = first is None or first is False
        return first if stops is (operator == "&&") else read_right(values)

    return f"({left} {operator} {right})", value


EXPRESSIONS = st.recursive(
    LITERALS,
    lambda inner: st.tuples(inner, st.sampled_from(["==", "!=", "&&", "||"]), inner).map(joined),
    max_leaves=8,
)


@given(EXPRESSIONS, st.dictionaries(NAMES, st.text("xy", max_size=2), max_size=5))
def test_an_expression_means_what_its_tree_means(expression, values):
    text, value = expression
    result = value(values)
    truth = bool(result.strip()) if isinstance(result, str) else bool(result)
    assert holds(text, values) is truth


@given(st.text("$AB \"'/=~!&|()null.*[ismU]{}", max_size=20))
def test_any_text_is_an_expression_or_refused(text):
    try:
        parse(text)
    except ExpressionError as error:
        assert str(error)


def matches(glob, path):
    """fnmatch with PATHNAME and DOTMATCH, by trying everything: slow and plain."""
    if not glob:
        return not path
    if glob.startswith("**/"):
        rest = glob[3:]
        cuts = [0, *(at + 1 for at, char in enumerate(path) if char == "/")]
        return any(matches_folder(path, cut) and matches(rest, path[cut:]) for cut in cuts)
    return matches_inside(glob, path)


def matches_folder(path, cut):
    return cut == 0 or "" not in path[: cut - 1].split("/")


def matches_inside(glob, path):
    if not glob:
        return not path
    if glob[0] == "*":
        return matches_inside(glob[1:], path) or (path[:1] not in ("", "/") and matches_inside(glob, path[1:]))
    if not path:
        return False
    if glob[0] == "/":
        return path[0] == "/" and matches(glob[1:], path[1:])
    return (path[0] == glob[0] or (glob[0] == "?" and path[0] != "/")) and matches_inside(glob[1:], path[1:])


@settings(max_examples=400)
@given(st.text("ab*?/.", max_size=7), st.text("ab/.", max_size=7))
def test_a_glob_matches_as_ruby_s_fnmatch(glob, path):
    assert glob_matches(glob, path) == matches(glob, path)


@given(st.text("ab/.{},*[]\\!^-?", max_size=10), st.text("ab/.", max_size=6))
def test_any_text_is_a_glob(glob, path):
    assert glob_matches(glob, path) in (True, False)


LEAVES = st.one_of(st.integers(), st.booleans(), st.none(), st.text("abc", max_size=3))
KEYS = st.text("abc", min_size=1, max_size=2)
MAPPINGS = st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8).filter(
    lambda value: isinstance(value, dict)
)
BASE, OVER = Place("base.yml", 1, 1), Place("over.yml", 2, 2)


def by_hand(base, over):
    both = {
        key: by_hand(base[key], over[key])
        if isinstance(base[key], dict) and isinstance(over[key], dict)
        else over[key]
        for key in over
        if key in base
    }
    return {**base, **over, **both}


@given(MAPPINGS, MAPPINGS, MAPPINGS)
def test_merging_is_deep_ordered_and_places_follow_their_values(one, two, three):
    base, over = located(one, BASE), located(two, OVER)
    result = merged(base, over)
    assert plain(result) == by_hand(one, two)
    assert list(result) == list({**one, **two})
    assert all(result.values_at[key] == (OVER if key in two else BASE) for key in result)
    assert (plain(base), plain(over)) == (one, two)
    left = merged(merged(base, over), located(three))
    right = merged(base, merged(over, located(three)))
    if not any(
        isinstance(a.get(key), dict) != isinstance(b.get(key), dict)
        for a in (one, two)
        for b in (two, three)
        for key in a.keys() & b.keys()
    ):
        assert plain(left) == plain(right)


JSON = st.recursive(
    st.one_of(LEAVES, st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=10,
)


@given(JSON)
def test_json_is_yaml_of_the_same_value(value):
    documents = read_documents(json.dumps({"value": value}, ensure_ascii=False), "a.yml")
    assert plain(documents[0].value) == {"value": value}

"""GitLab's own templates compile, as a project would include them."""

from pathlib import Path

import pytest

from shipline.language import Context, Loaded, MemoryLoader, Origin, compile, lint

TEMPLATES = Path(__file__).parent / "data" / "templates"
TEXTS = {str(path.relative_to(TEMPLATES)): path.read_text() for path in sorted(TEMPLATES.rglob("*.yml"))}
HOST = """
stages: [build, test, review, staging, canary, production, incremental rollout 10%, incremental rollout 25%,
  incremental rollout 50%, incremental rollout 100%, performance, dast, deploy, cleanup, validate]
own: {stage: build, script: make}
dast: {stage: dast, script: dast}
include: {template: NAME}
"""


class Templates(MemoryLoader):
    """The templates at hand; of those that Auto DevOps includes besides, only that they are there."""

    def load(self, origin: Origin) -> Loaded:
        if origin.kind == "template" and origin.path not in TEXTS:
            dast = "dast: {stage: dast, script: dast}" if origin.path.endswith("/DAST.gitlab-ci.yml") else ""
            return Loaded(f".not-at-hand: {{script: []}}\n{dast}", origin)
        return super().load(origin)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("source", ["push", "merge_request_event", "schedule"])
def test_template(name, source):
    loader = Templates(templates=TEXTS)
    text = HOST.replace("NAME", name)
    if "stages:" in TEXTS[name]:
        text = f"include: {{template: {name}}}\n"
    pipeline = compile(text, Context(source=source, ref="feature"), loader)
    assert all(job.script or job.trigger or job.extra.get("run") for job in pipeline.jobs)
    assert [finding for finding in lint(text, Context(), loader) if finding.severity == "error"] == []

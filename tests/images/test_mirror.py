from shipline.images.mirror import Mirror, of_host

DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'


def mirror(tmp_path, release=DEBIAN, **files):
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        path = tmp_path / ("sources.list" if name == "list" else f"sources.list.d/{name.replace('_', '.')}")
        path.write_text(text)
    (tmp_path / "os-release").write_text(release)
    return of_host(tmp_path, tmp_path / "os-release")


def test_one_line_form(tmp_path):
    text = """
# the company's mirror
deb [signed-by=/usr/share/keyrings/x.gpg arch=amd64] http://mirror.corp/debian/ bookworm main contrib
deb-src http://mirror.corp/debian bookworm main
deb http://mirror.corp/security bookworm-security main
"""
    assert mirror(tmp_path, list=text) == Mirror("http://mirror.corp/debian", "http://mirror.corp/security")


def test_stanza_form(tmp_path):
    text = """Types: deb deb-src
URIs: http://mirror.corp/debian
# a comment
Suites: bookworm bookworm-updates
Components: main

Enabled: no
Types: deb
URIs: http://elsewhere/security
Suites: bookworm-security
"""
    assert mirror(tmp_path, debian_sources=text) == Mirror("http://mirror.corp/debian", "")


def test_other_sources_do_not_count(tmp_path):
    text = "Types: deb\nURIs: http://node.example\nSuites: nodistro\n"
    assert mirror(tmp_path, node_sources=text) == Mirror()


def test_another_distribution_has_none_of_debian(tmp_path):
    release = "ID=ubuntu\nVERSION_CODENAME=noble\n"
    assert mirror(tmp_path, release, list="deb http://mirror.corp/ubuntu noble main\n") == Mirror()

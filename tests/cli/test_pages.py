"""`pages:` and `shipline pages`: sites made by jobs, served here."""

import re
import subprocess
import time
import urllib.error
import urllib.request

from tests.cli.conftest import SHIPLINE

SITE = """
pages:
  script:
    - mkdir -p public/docs
    - echo "<h1>Main</h1>" > public/index.html
    - echo Docs > public/docs/index.html
    - echo About > public/about.html
    - echo Gone > public/404.html
    - ln -s /etc/passwd public/link
  artifacts: {paths: [public]}
preview:
  script: [mkdir site, 'echo "for $CI_COMMIT_BRANCH" > site/index.html', 'echo "at $CI_PAGES_URL"']
  pages: {publish: site, path_prefix: "MR/$CI_COMMIT_BRANCH", expire_in: %s}
"""


def get(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.url
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), url


def test_sites_are_published_and_served(repository):
    repository.commit(ci=SITE % "1 hour")
    shown = repository.shipline("run")
    assert "Pages are published." in shown and "Pages are published under the prefix mr-main." in shown
    assert "preview | at http://127.0.0.1:8931/mr-main\n" in shown
    listed = repository.shipline("pages")
    assert re.search(r"^/ +\S+ \S+  \(job 1\)$", listed, re.M)
    assert re.search(r"^/mr-main  \S+ \S+  \(job 2\)  until ", listed, re.M)
    command = [SHIPLINE, "pages", "serve", "--port", "0"]
    serving = subprocess.Popen(
        command, cwd=repository.directory, env=repository.environment, stdout=subprocess.PIPE
    )
    try:
        base = re.search(r"http://\S+/", serving.stdout.readline().decode())[0]
        assert get(base) == (200, "<h1>Main</h1>\n", base)
        assert get(f"{base}about")[:2] == (200, "About\n")
        assert get(f"{base}docs") == (200, "Docs\n", f"{base}docs/")
        assert get(f"{base}mr-main") == (200, "for main\n", f"{base}mr-main/")
        assert get(f"{base}link")[:2] == (404, "Gone\n")
        assert get(f"{base}../../shipline.db")[0] == 404
        repository.shipline("pages", "remove")
        assert get(base)[0] == 404
    finally:
        serving.terminate()
        serving.wait()


def test_a_site_expires(repository):
    repository.commit(ci=SITE % "1 second")
    repository.shipline("run")
    time.sleep(1.1)
    assert "mr-main" not in repository.shipline("pages")
    assert len(list((repository.home / "state" / "pages").iterdir())) == 1


def test_a_job_without_the_folder_fails(repository):
    repository.commit(ci="site: {script: [echo], pages: true}")
    assert "the `public/` folder is missing" in repository.shipline("run", code=1)


def test_a_job_called_pages_may_deny_it(repository):
    repository.commit(ci="pages: {script: [echo], pages: false}")
    repository.shipline("run")
    assert "There are no pages" in repository.shipline("pages")

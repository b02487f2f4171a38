"""glab's commands for what belongs to a project: variables, merge requests, releases, tokens."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from conformance_glab_pipelines import ended, made
from conformance_server import Server
from conformance_steps import Steps, expect, until

if TYPE_CHECKING:
    from conformance_glab import Glab


def try_variables(steps: Steps, glab: Glab, server: Server) -> None:
    path = f"/projects/{server.project('app')}/variables"
    with steps.step("glab", "variable set and get"):
        expect("Created variable GREETING for root/app" in glab("variable", "set", "GREETING", "hello"))
        expect(glab("variable", "get", "GREETING") == "hello")
        expect("has already been taken" in glab.refused("variable", "set", "GREETING", "again"))
    with steps.step("glab", "variable set: masked, protected, of an environment, a file"):
        words = ["--masked", "--protected", "--scope", "prod/*", "--description", "A secret"]
        glab("variable", "set", "SECRET", "a-secret-value", *words)
        glab("variable", "set", "SETTINGS", "--type", "file", "--value", "a: 1", "--raw")
        found = {one["key"]: one for one in server.api("GET", path)}
        secret, settings = found["SECRET"], found["SETTINGS"]
        expect(secret["masked"] and secret["protected"] and secret["environment_scope"] == "prod/*", secret)
        expect(settings["variable_type"] == "file" and settings["raw"] and settings["value"] == "a: 1", settings)
        expect(glab("variable", "get", "SECRET", "--scope", "prod/*") == "a-secret-value")
    with steps.step("glab", "variable list"):
        said = glab("variable", "list")
        expect(re.search(r"SECRET\s+true\s+true\s+true\s+prod/\*\s+A secret", said), said)
    with steps.step("glab", "variable update"):
        expect("Updated variable GREETING" in glab("variable", "update", "GREETING", "good day"))
        expect(server.api("GET", f"{path}/GREETING")["value"] == "good day")
    with steps.step("glab", "variable export"):
        values = {one["key"]: one["value"] for one in json.loads(glab.run("variable", "export").stdout)}
        expect(values == {"GREETING": "good day", "SECRET": "a-secret-value", "SETTINGS": "a: 1"}, values)
        expect('export GREETING="good day"' in glab("variable", "export", "--format", "export"))
    with steps.step("glab", "variable delete"):
        glab("variable", "delete", "SECRET", "--scope", "prod/*")
        glab("variable", "delete", "GREETING")
        expect([one["key"] for one in server.api("GET", path)] == ["SETTINGS"])
        expect("404" in glab.refused("variable", "delete", "GREETING"))
    with steps.step("glab", "variables of a group"):
        glab("api", "groups", "--field", "name=Team", "--field", "path=team")
        of_group = ("--group", "team")
        expect("for group team" in glab("variable", "set", "SHARED", "one", *of_group))
        glab("variable", "update", "SHARED", "two", *of_group)
        expect(glab("variable", "get", "SHARED", *of_group) == "two")
        expect("SHARED" in glab("variable", "list", *of_group))
        expect("SHARED=two" in glab("variable", "export", "--format", "env", *of_group))
        glab("variable", "delete", "SHARED", *of_group)
        expect(server.api("GET", "/groups/team/variables") == [])


def try_merge_requests(steps: Steps, glab: Glab, server: Server) -> None:
    project = server.project("app")
    path = f"/projects/{project}/merge_requests"
    with steps.step("glab", "mr create"):
        glab.git("checkout", "-qb", "feature")
        sha = glab.push({"hello.txt": "hello\n"}, "feature")
        words = ["--label", "one,two", "--assignee", "root", "--remove-source-branch", "--yes"]
        branches = ["--source-branch", "feature", "--target-branch", "main"]
        said = glab("mr", "create", "--title", "A feature", "--description", "Its text", *branches, *words)
        expect(f"{server.url}/root/app/-/merge_requests/1" in said, said)
        found = server.api("GET", f"{path}/1")
        expect(found["labels"] == ["one", "two"] and found["sha"] == sha, found)
        expect("already exists" in glab.refused("mr", "create", "--title", "Again", "-d", "x", *branches, "--yes"))
    with steps.step("glab", "mr list"):
        said = glab("mr", "list")
        expect("!1" in said and "A feature" in said and "(main) ← (feature)" in said, said)
        expect("!1" in glab("mr", "list", "--label", "one") and "!1" not in glab("mr", "list", "--label", "three"))
    with steps.step("glab", "mr view"):
        said = glab("mr", "view", "1")
        expect("title:\tA feature" in said and "assignees:\troot" in said and "Its text" in said, said)
        expect(glab.json("mr", "view", "feature", "--output", "json")["iid"] == 1)
    with steps.step("glab", "mr diff"):
        said = glab("mr", "diff", "1")
        expect("+++ hello.txt" in said and "+hello" in said, said)
        expect("diff --git a/hello.txt b/hello.txt" in glab("mr", "diff", "1", "--raw"))
    with steps.step("glab", "mr note, and mr view with the notes"):
        expect("#note_" in glab("mr", "note", "1", "--message", "Looks good"))
        said = glab("mr", "view", "1", "--comments")
        expect("Looks good" in said and "comments:\t1" in said, said)
    with steps.step("glab", "mr update"):
        glab("mr", "update", "1", "--title", "Better", "--draft", "--label", "three", "--unlabel", "one")
        found = server.api("GET", f"{path}/1")
        expect(found["draft"] and found["labels"] == ["three", "two"], found)
        glab("mr", "update", "1", "--ready")
        expect(server.api("GET", f"{path}/1")["title"] == "Better")
    with steps.step("glab", "mr close and reopen"):
        glab("mr", "close", "1")
        expect(server.api("GET", f"{path}/1")["state"] == "closed")
        glab("mr", "reopen", "1")
        expect(server.api("GET", f"{path}/1")["state"] == "opened")
    with steps.step("glab", "mr approve and revoke"):
        glab("mr", "approve", "1")
        found = server.api("GET", f"{path}/1/approvals")
        expect([one["user"]["username"] for one in found["approved_by"]] == ["root"], found)
        glab("mr", "revoke", "1")
        expect(server.api("GET", f"{path}/1/approvals")["approved_by"] == [])
    with steps.step("glab", "mr rebase"):
        glab.git("checkout", "-q", "main")
        main = glab.push({"other.txt": "other\n"})
        glab("mr", "rebase", "1")
        found = until(lambda: server.api("GET", f"{path}/1")["diff_refs"]["base_sha"] == main, "it is rebased", 30)
        expect(found)
    with steps.step("glab", "mr merge: at once when the pipeline has succeeded"):
        newest = until(lambda: server.api("GET", f"{path}/1")["head_pipeline"], "a pipeline", 30)
        ended(server, project, newest["id"])
        said = glab("mr", "merge", "1", "--yes")
        expect("Merged!" in said and "Pipeline succeeded." in said, said)
        found = server.api("GET", f"{path}/1")
        expect(found["state"] == "merged" and found["merge_commit_sha"], found)
        branches_now = [one["name"] for one in server.api("GET", f"/projects/{project}/repository/branches")]
        expect(branches_now == ["main"], branches_now)
    with steps.step("glab", "mr merge: once the pipeline succeeds"):
        glab.git("pull", "-q")
        glab.git("checkout", "-qb", "later")
        sha = glab.push({"later.txt": "later\n"}, "later")
        running = server.pipeline(project, sha)
        glab("mr", "create", "--fill", "--source-branch", "later", "--target-branch", "main", "--yes")
        said = glab("mr", "merge", "2", "--yes")
        if "Merged!" not in said:
            expect("Will auto-merge" in said, said)
        ended(server, project, running)
        until(lambda: server.api("GET", f"{path}/2")["state"] == "merged", "it is merged", 30)
        glab.git("checkout", "-q", "main")
        glab.git("pull", "-q")
        expect((glab.folder / "later.txt").exists())
    with steps.step("glab", "mr delete"):
        glab.git("checkout", "-qb", "never")
        glab.push({"never.txt": "never\n"}, "never")
        glab("mr", "create", "--fill", "--source-branch", "never", "--target-branch", "main", "--yes")
        glab("mr", "delete", "3")
        expect(len(server.api("GET", f"{path}?state=all")) == 2)
        glab.git("checkout", "-q", "main")


def try_releases(steps: Steps, glab: Glab, server: Server) -> None:
    path = f"/projects/{server.project('app')}/releases"
    link = '[{"name": "manual", "url": "https://example.com/manual", "link_type": "other"}]'
    with steps.step("glab", "release create, with its tag and a link"):
        words = ["--name", "First", "--notes", "Its notes", "--ref", "main", "--assets-links", link]
        expect("Release created" in glab("release", "create", "v1.0", *words))
        found = server.api("GET", f"{path}/v1.0")
        expect(found["name"] == "First" and found["assets"]["links"][0]["name"] == "manual", found)
    with steps.step("glab", "release create again changes it"):
        expect("Release updated" in glab("release", "create", "v1.0", "--notes", "Other notes"))
        expect(server.api("GET", f"{path}/v1.0")["description"] == "Other notes")
    with steps.step("glab", "release create with a file, and release download"):
        (glab.home / "tool.bin").write_bytes(b"\0\1\2 a tool")
        said = glab("release", "create", "v1.1", "--notes", "A tool", "--ref", "main", f"{glab.home}/tool.bin")
        expect("Release succeeded" in said, said)
        target = glab.home / "downloads"
        target.mkdir()
        glab("release", "download", "v1.1", "--asset-name", "tool.bin", "--dir", str(target))
        expect((target / "tool.bin").read_bytes() == b"\0\1\2 a tool")
    with steps.step("glab", "release upload"):
        glab("release", "upload", "v1.0", f"{glab.home}/tool.bin#Tool")
        names = [one["name"] for one in server.api("GET", f"{path}/v1.0")["assets"]["links"]]
        expect(sorted(names) == ["Tool", "manual"], names)
    with steps.step("glab", "release list and view"):
        said = glab("release", "list")
        expect("Showing 2 releases" in said and "v1.1" in said, said)
        expect("https://example.com/manual" in glab("release", "view", "v1.0"))
    with steps.step("glab", "release delete, with its tag"):
        glab("release", "delete", "v1.0", "--yes", "--with-tag")
        expect([one["tag_name"] for one in server.api("GET", path)] == ["v1.1"])
        tags = [one["name"] for one in glab.json("api", "projects/:id/repository/tags")]
        expect(tags == ["v1.1"], tags)

    with steps.step("glab", "in a job, with the job's token: release create, ci list"):
        project = server.project("app")
        number = made(glab("ci", "run", "--branch", "main", "--variables-env", f"GLAB:{glab.program}"))
        log = server.trace(project, server.job(project, number, "release-job", "success"))
        expect("Release created" in log and f"(running) • #{number}" in log, log)
        found = server.api("GET", f"{path}/v2.0")
        expect(found["description"] == "By a job" and found["author"]["username"] == "root", found)


def try_tokens(steps: Steps, glab: Glab, server: Server) -> None:
    use = lambda token: server.session.get(  # noqa: E731
        f"{server.url}/api/v4/user", headers={"PRIVATE-TOKEN": token}, timeout=30
    )
    with steps.step("glab", "token create, list, rotate, revoke: of a user"):
        server.api(
            "POST", "/users", username="ada", name="Ada", email="ada@example.com", password="a-long-password"
        )
        mine = ("--user", "ada")
        token = glab("token", "create", "deploys", "--scope", "api", *mine).strip()
        expect(use(token).json()["username"] == "ada")
        expect("deploys" in glab("token", "list", *mine))
        newer = glab("token", "rotate", "deploys", *mine).strip()
        expect(use(token).status_code == 401 and use(newer).ok)
        glab("token", "revoke", "deploys", *mine)
        expect(use(newer).status_code == 401)
    for kind, words in (("a project", ()), ("a group", ("--group", "team"))):
        with steps.step("glab", f"token create, list, rotate, revoke: of {kind}"):
            given = ["--scope", "api", "--access-level", "developer", *words]
            token = glab("token", "create", "robot", *given).strip()
            expect(use(token).json()["bot"] is True)
            expect(re.search(r"robot\s+developer", glab("token", "list", *words)))
            newer = glab("token", "rotate", "robot", *words).strip()
            expect(use(token).status_code == 401 and use(newer).ok)
            glab("token", "revoke", "robot", *words)
            expect(use(newer).status_code == 401)

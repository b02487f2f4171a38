"""What a command loads: a short one must not pay for what it does not use."""

HEAVY = {
    "aiohttp",
    "cryptography",
    "gzip",
    "http.client",
    "lzma",
    "obstore",
    "shutil",
    "sqlalchemy",
    "tarfile",
    "tempfile",
    "xml.etree.ElementTree",
    "zipfile",
}


def loaded(text):
    lines = [line for line in text.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_a_shell_job_without_files_loads_nothing_for_files_or_pods(repository):
    repository.commit(ci="greet: {script: [echo hello]}\n")
    names = loaded(repository.shipline("run", PYTHONPROFILEIMPORTTIME="1"))
    assert "shipline.runner.local.executor" in names
    assert not names & HEAVY
    assert not [
        name for name in names if name.startswith(("shipline.server", "shipline.cluster", "shipline.runner.pod"))
    ]


def test_the_version_loads_neither_a_room_nor_an_event_loop(repository):
    names = loaded(repository.shipline("--version", PYTHONPROFILEIMPORTTIME="1"))
    assert "shipline.cli.program" in names
    assert not names & (HEAVY | {"asyncio", "msgspec", "yaml"})
    rooms = ("engine", "language", "runner", "server", "cluster", "protocol")
    assert not [name for name in names if name.startswith(tuple(f"shipline.{room}" for room in rooms))]

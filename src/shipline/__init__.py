"""Shipline runs GitLab CI/CD pipelines without a GitLab server.

The rooms, from the ground up: `language`, `protocol`, `cluster` and `images` know nothing of each other;
`engine` stands on language and protocol, `runner` and `doctor` on protocol, and `cli` on all of them.
"""

__version__ = "0.1.0"

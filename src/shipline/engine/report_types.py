"""The kinds of files that jobs leave besides their archive, as GitLab names them: their usual names and formats."""

from __future__ import annotations

GZIP = {
    "junit": "junit.xml",
    "cobertura": "cobertura-coverage.xml",
    "jacoco": "jacoco-coverage.xml",
    "dotenv": ".env",
    "metrics": "metrics.txt",
    "cluster_applications": "gl-cluster-applications.json",
    "cyclonedx": "gl-sbom.cdx.json",
    "annotations": "gl-annotations.json",
    "repository_xray": "gl-repository-xray.json",
}
RAW = {
    "dependency_scanning": "gl-dependency-scanning-report.json",
    "sast": "gl-sast-report.json",
    "secret_detection": "gl-secret-detection-report.json",
    "container_scanning": "gl-container-scanning-report.json",
    "cluster_image_scanning": "gl-cluster-image-scanning-report.json",
    "dast": "gl-dast-report.json",
    "license_scanning": "gl-license-scanning-report.json",
    "codequality": "gl-code-quality-report.json",
    "sarif": "gl-sarif-report.json",
    "accessibility": "gl-accessibility.json",
    "performance": "performance.json",
    "browser_performance": "browser-performance.json",
    "load_performance": "load-performance.json",
    "terraform": "tfplan.json",
    "requirements": "requirements.json",
    "requirements_v2": "requirements_v2.json",
    "coverage_fuzzing": "gl-coverage-fuzzing.json",
    "api_fuzzing": "gl-api-fuzzing-report.json",
}
ZIP = {"lsif": "lsif.json"}

FILE_NAMES: dict[str, str] = GZIP | RAW | ZIP
FORMATS: dict[str, str] = dict.fromkeys(GZIP, "gzip") | dict.fromkeys(RAW, "raw") | dict.fromkeys(ZIP, "zip")
FILE_FORMATS: dict[str, str] = FORMATS | {
    "archive": "zip",
    "metadata": "gzip",
    "trace": "raw",
    "metrics_referee": "gzip",
    "network_referee": "gzip",
}
"""Everything that a runner may upload, and the one format in which it is taken."""
FILE_TYPES: frozenset[str] = frozenset(FILE_FORMATS)
SECURITY = (
    "sast",
    "secret_detection",
    "dependency_scanning",
    "container_scanning",
    "cluster_image_scanning",
    "dast",
    "coverage_fuzzing",
    "api_fuzzing",
)
"""The reports of scanners, which list what they have found."""

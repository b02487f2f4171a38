//! A server of Collabora's that speaks GitLab's runner API. It offers a handful of jobs, cancels one of them when its
//! log says `started`, and tells at the end what the runner did: one JSON object a line.

use gitlab_runner_mock::{
    GitlabRunnerMock, MockJob, MockJobArtifactWhen, MockJobState, MockJobStepName, MockJobStepWhen,
};
use serde_json::json;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

fn lines(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

struct Offer<'a> {
    name: &'a str,
    script: &'a [&'a str],
    after: &'a [&'a str],
    needs: Option<&'a MockJob>,
    keeps: &'a [&'a str],
    report: Option<&'a str>,
    timeout: u64,
}

fn offer(server: &GitlabRunnerMock, what: Offer) -> MockJob {
    let mut job = server.job_builder(what.name.to_string());
    job.add_variable("GIT_STRATEGY".into(), "none".into(), true, false);
    job.add_variable("COLOUR".into(), "blue".into(), true, false);
    job.add_variable("SECRET".into(), "a-very-secret-word".into(), false, true);
    job.add_step(
        MockJobStepName::Script,
        lines(what.script),
        what.timeout,
        MockJobStepWhen::OnSuccess,
        false,
    );
    if !what.after.is_empty() {
        job.add_step(
            MockJobStepName::AfterScript,
            lines(what.after),
            what.timeout,
            MockJobStepWhen::Always,
            true,
        );
    }
    if !what.keeps.is_empty() {
        job.add_artifact(
            None,
            false,
            lines(what.keeps),
            Some(MockJobArtifactWhen::Always),
            "archive".into(),
            Some("zip".into()),
            Some("1 week".into()),
        );
    }
    if let Some(path) = what.report {
        job.add_artifact(
            Some("junit.xml".into()),
            false,
            lines(&[path]),
            Some(MockJobArtifactWhen::Always),
            "junit".into(),
            Some("gzip".into()),
            None,
        );
    }
    if let Some(other) = what.needs {
        job.dependency(other.clone());
    }
    let job = job.build();
    server.enqueue_job(job.clone());
    job
}

#[tokio::main]
async fn main() {
    let server = GitlabRunnerMock::start().await;
    server.set_update_interval(1);
    server.set_inject_artifact_download_failures(1);
    let plain = Offer {
        name: "",
        script: &[],
        after: &[],
        needs: None,
        keeps: &[],
        report: None,
        timeout: 3600,
    };
    let build = offer(
        &server,
        Offer {
            name: "build",
            script: &[
                "mkdir -p out",
                "echo \"built $COLOUR with $SECRET\"",
                "echo result > out/result.txt",
                "echo '<testsuites/>' > junit.xml",
            ],
            after: &["echo after as $CI_JOB_STATUS"],
            keeps: &["out/"],
            report: Some("junit.xml"),
            ..plain
        },
    );
    let jobs = vec![
        offer(
            &server,
            Offer {
                name: "use",
                script: &["cat out/result.txt"],
                needs: Some(&build),
                ..plain
            },
        ),
        offer(
            &server,
            Offer {
                name: "fails",
                script: &["echo kept > kept.txt", "exit 3", "echo never"],
                after: &["echo after as $CI_JOB_STATUS"],
                keeps: &["kept.txt"],
                ..plain
            },
        ),
        offer(
            &server,
            Offer {
                name: "long",
                script: &["i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo \"line $i of a long log\"; done"],
                ..plain
            },
        ),
        offer(
            &server,
            Offer {
                name: "cancelled",
                script: &["echo started", "sleep 100", "echo never"],
                ..plain
            },
        ),
        offer(
            &server,
            Offer {
                name: "late",
                script: &["echo slow", "sleep 100"],
                timeout: 3600,
                ..plain
            },
        ),
    ];
    let jobs: Vec<MockJob> = std::iter::once(build).chain(jobs).collect();
    println!(
        "{}",
        json!({"url": server.uri().as_str(), "token": server.runner_token()})
    );
    let end = Instant::now() + PATIENCE;
    loop {
        for job in &jobs {
            let text = String::from_utf8_lossy(&job.log()).into_owned();
            let told = (job.name() == "cancelled" && text.contains("\nstarted"))
                || (job.name() == "late" && text.contains("\nslow"));
            if told && job.state() == MockJobState::Running {
                job.cancel();
            }
        }
        let over = |job: &MockJob| !matches!(job.state(), MockJobState::Pending | MockJobState::Running);
        if jobs.iter().all(over) || Instant::now() > end {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for job in &jobs {
        let files: Vec<_> = job
            .uploaded_artifacts()
            .map(|file| {
                json!({"filename": file.filename, "type": file.artifact_type, "format": file.artifact_format,
                       "size": file.data.len()})
            })
            .collect();
        println!(
            "{}",
            json!({
                "name": job.name(), "state": job.state().to_string(), "log": String::from_utf8_lossy(&job.log()),
                "patches": job.log_patches(), "updates": job.state_updates(), "artifacts": files,
            })
        );
    }
}

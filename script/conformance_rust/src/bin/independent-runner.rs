//! A runner made with Collabora's library: `independent-runner URL TOKEN FOLDER`. It serves four jobs at a time until
//! it is ended. A line of a script is one of `say`, `fail`, `wait`, `keep` and `received`; nothing is executed.

use futures::AsyncRead;
use futures::io::Cursor;
use gitlab_runner::job::Job;
use gitlab_runner::{GitlabLayer, JobHandler, JobResult, Phase, RunnerBuilder, UploadableFile, outputln};
use std::borrow::Cow;
use std::io::Read;
use std::time::Duration;
use tracing_subscriber::prelude::*;

struct Kept {
    path: String,
    text: String,
}

#[async_trait::async_trait]
impl UploadableFile for Kept {
    type Data<'a> = Box<dyn AsyncRead + Send + Unpin>;

    fn get_path(&self) -> Cow<'_, str> {
        Cow::from(&self.path)
    }

    async fn get_data(&self) -> Result<Self::Data<'_>, ()> {
        Ok(Box::new(Cursor::new(self.text.clone().into_bytes())))
    }
}

struct Run {
    job: Job,
    kept: Vec<(String, String)>,
}

impl Run {
    async fn line(&mut self, line: &str) -> JobResult {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "say" => match self.job.variable(rest) {
                Some(variable) => outputln!("{rest} is {variable}"),
                None => outputln!("{rest}"),
            },
            "wait" => tokio::time::sleep(Duration::from_secs(rest.parse().unwrap_or(1))).await,
            "keep" => self
                .kept
                .push((rest.to_string(), format!("kept by {}\n", self.job.id()))),
            "received" => return self.received().await,
            _ => {
                outputln!("cannot {word}");
                return Err(());
            }
        }
        Ok(())
    }

    async fn received(&mut self) -> JobResult {
        for each in self.job.dependencies() {
            let Some(mut archive) = each.download().await.map_err(|error| outputln!("{error}"))? else {
                outputln!("nothing from {}", each.name());
                continue;
            };
            for number in 0..archive.len() {
                let mut file = archive.by_index(number).ok_or(())?;
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(|error| outputln!("{error}"))?;
                outputln!("{} of {}: {}", file.name(), each.name(), text.trim());
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl JobHandler<Kept> for Run {
    async fn step(&mut self, script: &[String], phase: Phase) -> JobResult {
        outputln!("{phase:?}");
        for line in script {
            self.line(line).await?;
        }
        Ok(())
    }

    async fn get_uploadable_files(&mut self) -> Result<Box<dyn Iterator<Item = Kept> + Send>, ()> {
        let kept = std::mem::take(&mut self.kept);
        Ok(Box::new(kept.into_iter().map(|(path, text)| Kept { path, text })))
    }
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let (layer, jobs) = GitlabLayer::new();
    tracing_subscriber::Registry::default().with(layer).init();
    let url = words[1].parse().expect("a URL");
    let mut runner = RunnerBuilder::new(url, words[2].clone(), words[3].clone(), jobs)
        .version("0.3.2")
        .platform("linux")
        .architecture("amd64")
        .build()
        .await;
    if let Err(error) = runner
        .run(|job| async move { Ok(Run { job, kept: Vec::new() }) }, 4)
        .await
    {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

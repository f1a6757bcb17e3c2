//! The real program, as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::client::TestClient;
use super::within;

const PROGRAM: &str = env!("CARGO_BIN_EXE_xynergy-router");

/// What a program that has ended leaves behind.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The one JSON object that `--json` prints.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command to its end with an empty environment.
pub fn run(arguments: &[&str], stdin: &str) -> Ended {
    run_with(arguments, &[], stdin)
}

/// The same with these variables.
pub fn run_with(arguments: &[&str], variables: &[(&str, &str)], stdin: &str) -> Ended {
    let mut child = command(arguments, variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read on.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().expect("no signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command
}

/// A program that serves. Killed when dropped.
pub struct Program {
    child: Child,
    log: UnboundedReceiver<Value>,
    pub client: TestClient,
}

impl Program {
    /// Starts `serve` or `demo` on free ports and waits until it listens.
    pub async fn start(arguments: &[&str]) -> Self {
        let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut child = command(&[arguments, &ports].concat(), &[])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let (lines, mut log) = unbounded_channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let line = line.unwrap();
                let entry = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if lines.send(entry).is_err() {
                    return;
                }
            }
        });
        let listening = next_event(&mut log, "listening").await;
        let address = |plane: &str| -> SocketAddr { listening[plane].as_str().unwrap().parse().unwrap() };
        let client = TestClient::new(address("data"), address("admin"));
        Self { child, log, client }
    }

    /// The next log line of this event.
    pub async fn event(&mut self, event: &str) -> Value {
        next_event(&mut self.log, event).await
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the end.
    pub async fn ended(&mut self) -> ExitStatus {
        within(async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Ended already, there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the log up to this event. Every line of it must be JSON.
async fn next_event(log: &mut UnboundedReceiver<Value>, event: &str) -> Value {
    within(async {
        loop {
            let entry = log.recv().await.unwrap_or_else(|| panic!("ended before {event}"));
            assert!(entry.is_object(), "not a JSON log line: {entry}");
            if entry["event"] == event {
                return entry;
            }
        }
    })
    .await
}

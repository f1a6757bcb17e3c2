//! The real program, as a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
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
    output: UnboundedReceiver<String>,
    log: UnboundedReceiver<Value>,
    pub client: TestClient,
    /// What it logged before it listened.
    pub before: Vec<Value>,
}

impl Program {
    /// Starts `serve` or `demo` on free ports and waits until it listens.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[]).await
    }

    /// The same with these variables.
    pub async fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut child = command(&[arguments, &ports].concat(), variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = lines(child.stdout.take().unwrap(), |line| line);
        let log = |line: String| serde_json::from_str(&line).unwrap_or(Value::String(line));
        let mut log = lines(child.stderr.take().unwrap(), log);
        let mut before = Vec::new();
        let listening = loop {
            let entry = within(log.recv()).await.expect("it comes to listen");
            assert!(entry.is_object(), "not a JSON log line: {entry}");
            if entry["event"] == "listening" {
                break entry;
            }
            before.push(entry);
        };
        let address = |plane: &str| -> SocketAddr { listening[plane].as_str().unwrap().parse().unwrap() };
        let client = TestClient::new(address("data"), address("admin"));
        Self { child, output, log, client, before }
    }

    /// Waits for a line with this text on stdout.
    pub async fn output(&mut self, text: &str) {
        within(async {
            while !self.output.recv().await.unwrap_or_else(|| panic!("ended before {text}")).contains(text) {}
        })
        .await;
    }

    /// What is still unread of the log, to its end.
    pub async fn rest_of_log(&mut self) -> Vec<Value> {
        let mut rest = Vec::new();
        within(async {
            while let Some(entry) = self.log.recv().await {
                rest.push(entry);
            }
        })
        .await;
        rest
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

/// Reads a pipe line by line from a thread of its own, so that it never fills up.
fn lines<T: Send + 'static>(
    pipe: impl Read + Send + 'static,
    read: impl Fn(String) -> T + Send + 'static,
) -> UnboundedReceiver<T> {
    let (lines, receiver) = unbounded_channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            if lines.send(read(line.unwrap())).is_err() {
                return;
            }
        }
    });
    receiver
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

//! The program.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A child that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(arguments: &[&str]) -> (Running, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_router-upstream"));
    let mut child = Running(command.args(arguments).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let listening: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(listening["event"], "listening");
    (child, listening["addr"].as_str().unwrap().parse().unwrap())
}

/// The status line that a GET gets.
fn status(addr: SocketAddr, path: &str) -> String {
    use std::io::Write;
    let mut socket = std::net::TcpStream::connect(addr).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    line
}

#[test]
fn it_says_where_it_listens_and_serves() {
    let (child, addr) = start(&["--name", "cloud", "--models", "a,b", "--fault", "status-503=7"]);
    assert!(status(addr, "/v1/models").starts_with("HTTP/1.1 503"));
    assert!(status(addr, "/__stats").starts_with("HTTP/1.1 200"));
    drop(child);
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[test]
fn a_misspelt_fault_is_a_usage_error() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_router-upstream")).args(["--fault", "rts"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unknown fault `rts`"));
}

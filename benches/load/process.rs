//! The processes of a run: started on a core, observed through `/proc`, ended with the run.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a process may take to listen; under callgrind everything takes fifty times as long.
const STARTING: Duration = Duration::from_secs(60);

/// `utime` and `stime` of `/proc/PID/stat` are in ticks of `USER_HZ`, which is 100 on every architecture in use (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// A process of ours, killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it serves.
    pub(crate) address: SocketAddr,
    /// Its admin plane, where it has one.
    admin: Option<SocketAddr>,
}

/// Which stream carries the line that says where a process listens.
#[derive(Clone, Copy)]
pub(crate) enum Speaks {
    /// `{"event":"listening","addr":…}` on stdout.
    Stdout,
    /// `{"event":"listening","data":…}` on stderr, between logs.
    Stderr,
}

impl Process {
    /// Starts `command` (program and arguments) on `core` and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not listen in time.
    pub(crate) fn start(core: usize, command: &[String], speaks: Speaks) -> anyhow::Result<Self> {
        let mut start = Command::new("taskset");
        start
            .args(["--cpu-list", &core.to_string()])
            .args(command)
            .stdin(Stdio::null())
            .env("LOAD_API_KEY", "none");
        match speaks {
            Speaks::Stdout => start.stdout(Stdio::piped()),
            Speaks::Stderr => start.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
        let mut child = start.spawn().context("cannot run taskset, which is part of util-linux")?;
        let stream: Box<dyn Read + Send> = match (child.stdout.take(), child.stderr.take()) {
            (Some(stdout), _) => Box::new(stdout),
            (None, Some(stderr)) => Box::new(stderr),
            (None, None) => Box::new(std::io::empty()),
        };
        let (says, heard) = sync_channel(1);
        std::thread::spawn(move || listen(stream, &says));
        let heard = heard.recv_timeout(STARTING);
        let (address, admin) = heard.unwrap_or_else(|_| (SocketAddr::from(([0; 4], 0)), None));
        let process = Self { child, address, admin };
        ensure!(heard.is_ok(), "`{}` did not come to listen", command.join(" "));
        Ok(process)
    }

    /// CPU seconds used so far, user and system.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = self.proc("stat")?;
        // The name in brackets may contain anything, so count from the last bracket: utime and stime are fields 14 and 15.
        let fields = stat.rsplit_once(')').context("/proc/PID/stat is not what it was")?.1;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// Memory held in RAM, in bytes.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?.parse()?;
        Ok(kib << 10)
    }

    /// File descriptors that are open.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn descriptors(&self) -> anyhow::Result<usize> {
        let folder = format!("/proc/{}/fd", self.child.id());
        Ok(fs::read_dir(folder).context("a process of the run is gone")?.count())
    }

    /// What Prometheus would scrape.
    ///
    /// # Errors
    /// The process has no admin plane, or it does not answer.
    pub(crate) async fn metrics(&self) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.admin.context("no admin plane")?).await?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        Ok(page)
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(Path::new(&path)).context("a process of the run is gone")
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads to the end so that the process never waits for its reader. Says the address; shows what has gone wrong.
fn listen(stream: impl Read, says: &SyncSender<(SocketAddr, Option<SocketAddr>)>) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.contains(r#""event":"listening""#) {
            // Nobody hears it after the deadline.
            let _ = addresses(&line).map(|addresses| says.try_send(addresses));
        } else if !line.starts_with('{') || line.contains(r#""level":"ERROR""#) {
            eprintln!("{line}");
        }
    }
}

/// Where it serves, and its admin plane.
fn addresses(line: &str) -> Option<(SocketAddr, Option<SocketAddr>)> {
    let event: Value = serde_json::from_str(line).ok()?;
    let address = |key: &str| event[key].as_str()?.parse().ok();
    Some((address("addr").or_else(|| address("data"))?, address("admin")))
}

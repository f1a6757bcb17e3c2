// Two scripted providers and a sidecar, each a process of its own on free ports of the loopback.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

function policy(address) {
  const provider = (name, dialect, suffix) => `
[providers.${name}]
dialect = "${dialect}"
base_url = "http://${address}${suffix}"
placement = "internal"
`;
  const model = (name, provider) => `
[models.${name}]
provider = "${provider}"
upstream_model = "small"
price = { input = "$0.05/M", output = "$0.08/M" }
`;
  return [
    provider('local', 'openai', '/v1'),
    provider('local-messages', 'anthropic', ''),
    model('small', 'local'),
    model('small-messages', 'local-messages'),
    '[profiles.default]\ncandidates = ["small", "small-messages"]\n',
  ].join('');
}

/** A program that prints a JSON line on `pipe` when it listens. */
class Process {
  static async start(variable, name, args, pipe) {
    const stdio = ['ignore', pipe === 'stdout' ? 'pipe' : 'ignore', pipe === 'stderr' ? 'pipe' : 'ignore'];
    const child = spawn(join(process.env[variable], name), args, { stdio });
    const started = new this();
    started.child = child;
    const lines = createInterface({ input: child[pipe] });
    started.listening = await new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`${name} ended with ${code} before it listened`)));
      lines.on('line', (line) => {
        const entry = JSON.parse(line);
        if (entry.event === 'listening') resolve(entry);
      });
    });
    return started;
  }

  async end(signal) {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    await exit;
  }

  kill() {
    return this.end('SIGKILL');
  }

  stop() {
    return this.end('SIGTERM');
  }
}

export class Upstream extends Process {
  static start() {
    return super.start('UPSTREAM_BIN', 'router-upstream', ['--name', 'local', '--models', 'small'], 'stdout');
  }

  get address() {
    return this.listening.addr;
  }

  /** Every request from now on meets this fault; without one, none does. */
  async script(fault) {
    const answer = await fetch(`http://${this.address}/__script`, {
      method: 'POST',
      body: JSON.stringify({ clear: true, fault, always: true }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    await answer.text();
  }
}

export class Sidecar extends Process {
  static async over(upstream) {
    const folder = await mkdtemp(join(tmpdir(), 'sidecar-'));
    const path = join(folder, 'policy.toml');
    await writeFile(path, policy(upstream.address));
    const ports = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    const sidecar = await super.start('XYNERGY_ROUTER_BIN', 'xynergy-router', ['serve', '--policy', path, ...ports], 'stderr');
    sidecar.folder = folder;
    return sidecar;
  }

  get address() {
    return this.listening.data;
  }

  async stop() {
    await super.stop();
    await rm(this.folder, { recursive: true });
  }
}

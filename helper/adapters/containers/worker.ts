/**
 * The thread that speaks with Docker and Podman: an engine that says a lot, or nothing, or nonsense, never keeps the helper from
 * deciding, and what its answers take of memory is bounded by the thread's heap.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { EngineWatch } from './engine.ts';
import type { EngineSocket, FromEngines, ToEngines } from './messages.ts';

const port = parentPort;
if (port !== null) {
  const tell = (message: FromEngines): void => { port.postMessage(message); };
  const watches = (workerData as readonly EngineSocket[]).map((socket) => new EngineWatch(socket, tell));
  port.on('message', (message: ToEngines) => {
    for (const watch of watches) if (watch.engine === message.engine) watch.look();
  });
}

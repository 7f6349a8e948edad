// The connection that the answers come by. htmx's extension reads it and tries again after 1, 2 and
// 4 seconds; this says so, and offers a button after the third try.
import { signInAgain } from './actions.js';

export function startStream() {
  const stream = document.getElementById('stream');
  const state = document.getElementById('link-state');
  if (!stream) return;
  let leaving = false;
  addEventListener('pagehide', () => { leaving = true; });
  addEventListener('pageshow', () => { leaving = false; });

  function say(text, button) {
    if (leaving) return;
    const words = document.createElement('span');
    words.textContent = text;
    state.replaceChildren(words);
    if (!button) return;
    const again = document.createElement('button');
    again.type = 'button';
    again.className = 'button';
    again.textContent = 'Connect again';
    again.addEventListener('click', () => {
      say('Connecting …');
      window.htmx.process(stream, true);
    });
    state.append(again);
  }

  stream.addEventListener('htmx:sse:before:connection', (event) => {
    if (event.detail.connection.attempt > 0 && !document.hidden) {
      say(`Connection lost. Trying again (${event.detail.connection.attempt} of 3) …`);
    }
  });
  stream.addEventListener('htmx:sse:after:connection', () => state.replaceChildren());
  stream.addEventListener('htmx:sse:error', (event) => {
    if (event.detail.status === 401) signInAgain();
  });
  stream.addEventListener('htmx:sse:close', (event) => {
    if (event.detail.reason === 'ended') say('The server cannot be reached.', true);
  });
  stream.addEventListener('htmx:error', () => say('The server cannot be reached.', true));
  stream.addEventListener('htmx:response:error', () => {
    say('The answers cannot be read now.', true);
  });
  // A tab that comes back into view does not wait for its second.
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) setTimeout(() => stream._htmx?.sse?.delayCanceller?.(), 20);
  });
}

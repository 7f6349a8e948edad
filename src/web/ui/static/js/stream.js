// The connection that the answers come by. htmx's extension reads it and tries again after 1, 2 and
// 4 seconds; this says so, and offers a button after the third try. Each time the page tells what
// it shows, and the server sends what is missing.
import { firstTurn, signInAgain } from './actions.js';

// The stream's address, with what the page shows now; `again` if that may be old.
function address(stream, again) {
  const messages = document.getElementById('messages');
  const turn = [...messages.querySelectorAll('.turn')].at(-1);
  const last = turn?.querySelector('.bot') ?? turn?.querySelector('.user');
  const query = new URLSearchParams({ first: firstTurn(), last: last?.id.slice(2) ?? 0 });
  if (messages.querySelector('.busy')) query.set('running', 1);
  if (again) query.set('last_event_id', 0);
  return `${stream.getAttribute('hx-sse:connect')}?${query}`;
}

export function startStream() {
  const stream = document.getElementById('stream');
  const state = document.getElementById('link-state');
  if (!stream) return;
  let leaving = false;
  let request; // which the extension repeats
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

  stream.addEventListener('htmx:config:request', (event) => {
    const again = request !== undefined;
    request = event.detail.ctx.request;
    request.action = address(stream, again);
  });
  stream.addEventListener('htmx:sse:before:connection', (event) => {
    if (event.detail.connection.attempt === 0) return;
    request.action = address(stream, true);
    if (!document.hidden) {
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

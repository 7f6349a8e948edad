// What is typed: Enter sends, the message shows at once, the input clears and keeps the focus.
import { act } from './actions.js';
import { startCommands } from './commands.js';
import { scrollToEnd } from './scroll.js';

// What the server takes for a command, whether there is one of that name or not.
const commandLike = /^[ \t\r\n]*\/[a-z]+([ \t\r\n]|$)/i;

let form;
let text;
let said;
let sending = null; // the message on its way
let waiting = false; // another one waits for it

// Where the style sheet cannot make the field as tall as its text.
function fit() {
  if (CSS.supports('field-sizing', 'content')) return;
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight}px`;
}

export function setText(value) {
  text.value = value;
  text.dispatchEvent(new Event('input', { bubbles: true }));
  text.focus();
  text.setSelectionRange(value.length, value.length);
}

// The message as it will look, until the server's own drawing of it comes.
function showPending(value) {
  const pending = document.getElementById('pending');
  if (!pending) return;
  const message = document.createElement('article');
  message.className = 'user pending';
  const bubble = document.createElement('div');
  bubble.className = 'bubble';
  bubble.dir = 'auto';
  bubble.textContent = value;
  message.append(bubble);
  pending.replaceChildren(message);
  scrollToEnd();
}

// Whether a key belongs to an input method that puts characters together. Safari ends that before
// it tells of the Enter that did; 229 is the code that such keys have everywhere.
export const composing = (event) => event.isComposing || event.keyCode === 229;

export async function send(value = text.value) {
  if (waiting || !value.trim()) return;
  if (sending) {
    waiting = true;
    await sending;
    waiting = false;
    if (said.textContent) return; // the first one came back
  }
  sending = post(value);
  await sending;
}

// What is typed while a first message makes its chat goes along to the chat's page.
function keepTyped() {
  addEventListener('pagehide', () => sessionStorage.setItem('typed', text.value), { once: true });
  return new Promise((resolve) => addEventListener('pageshow', resolve, { once: true }));
}

async function post(value) {
  const fields = new FormData(form);
  fields.set('text', value);
  fields.set('key', crypto.randomUUID?.() ?? String(Math.random()));
  const command = commandLike.test(value);
  const kept = text.value;
  said.textContent = '';
  if (!command) showPending(value);
  text.value = '';
  fit();
  text.focus();
  const outcome = await act(form.getAttribute('action'), fields);
  if (outcome.go) await keepTyped();
  sending = null;
  if (!outcome.said) return;
  document.getElementById('pending')?.replaceChildren();
  if (!text.value) setText(kept || value);
  said.textContent = outcome.said;
}

export function startComposer() {
  form = document.getElementById('composer');
  if (!form) return;
  text = document.getElementById('text');
  said = document.getElementById('said');
  const menu = startCommands(text, send);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  text.addEventListener('input', () => {
    said.textContent = '';
    fit();
  });
  text.addEventListener('keydown', (event) => {
    if (composing(event) || menu.handle(event)) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      send();
    }
  });
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-fill]');
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    setText(link.dataset.fill);
  });
  fit();
  const typed = sessionStorage.getItem('typed');
  sessionStorage.removeItem('typed');
  // What has been typed into this page before its scripts came goes on from there.
  if (typed && !text.defaultValue) setText(typed + text.value);
}

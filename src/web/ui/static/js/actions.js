// Forms that act and stay: they are posted in the background, and the answer says what to do.
import { openPanel } from './panel.js';

const noticeMs = 7000;

// Says something in passing, with a button to take it back where there is one.
export function notice(text, { bad = false, undo = '' } = {}) {
  const box = document.createElement('div');
  box.className = bad ? 'notice bad' : 'notice';
  const words = document.createElement('span');
  words.textContent = text;
  box.append(words);
  if (undo) {
    const button = document.createElement('button');
    button.className = 'button quiet';
    button.textContent = 'Undo';
    button.addEventListener('click', async () => {
      box.remove();
      const [path, query] = undo.split('?');
      const outcome = await act(path, new URLSearchParams(query));
      if (outcome.said) notice(outcome.said, { bad: true });
      reloadMessages();
    });
    box.append(button);
  }
  document.getElementById('notices').replaceChildren(box);
}

// Notices go by themselves, but not while somebody is about to press their button.
function expireNotices() {
  const notices = document.getElementById('notices');
  let timer = 0;
  new MutationObserver(() => {
    clearTimeout(timer);
    const expire = () => {
      if (notices.matches(':hover, :focus-within')) timer = setTimeout(expire, 1000);
      else notices.replaceChildren();
    };
    if (notices.childElementCount) timer = setTimeout(expire, noticeMs);
  }).observe(notices, { childList: true });
}

// The oldest turn that the page shows; 0 if there is none.
export function firstTurn() {
  return document.querySelector('#messages .turn')?.id.slice(2) ?? 0;
}

// Fetches a piece into an element, in place of what may be on its way there, and waits for it.
// Without a source of their own htmx would put such requests into one queue, and wait for none.
export function fetchInto(target, url, swap) {
  target.setAttribute('hx-sync', 'this:replace');
  return window.htmx.ajax('GET', url, { source: target, target, swap });
}

export async function reloadMessages() {
  const chat = document.getElementById('composer')?.dataset.chat;
  if (!chat) return;
  await fetchInto(document.getElementById('messages'), `/chats/${chat}/messages`, 'innerMorph');
}

export function setTheme(theme) {
  const root = document.documentElement;
  if (theme === 'other') {
    const dark = root.dataset.theme
      ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches;
    theme = dark ? 'light' : 'dark';
  }
  root.dataset.theme = theme;
  document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
}

// The sign-in that this page was opened with holds no more. Loading the page anew leads to the
// form; what is typed is there again afterwards.
export function signInAgain() {
  const text = document.getElementById('text');
  addEventListener('pagehide', () => text && sessionStorage.setItem('typed', text.value));
  location.reload();
}

// Posts in the background. Gives what the server says, and has said what it can by itself.
export async function act(url, fields) {
  let outcome;
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { 'X-Notso': 'page' },
    });
    if (response.status === 401) signInAgain();
    outcome = response.headers.get('Content-Type')?.startsWith('application/json')
      ? await response.json()
      : {};
    if (!response.ok && !outcome.said) outcome.said = `That did not work (${response.status}).`;
  } catch {
    outcome = { said: 'The server cannot be reached.' };
  }
  if (outcome.notice) notice(outcome.notice, { undo: outcome.undo });
  if (outcome.theme) setTheme(outcome.theme);
  if (outcome.thinking !== undefined) {
    document.getElementById('thinking').checked = outcome.thinking;
  }
  // What is sent next must not be drawn before this, which does not have it.
  if (outcome.reload) await reloadMessages();
  if (outcome.open) openPanel(outcome.open);
  if (outcome.download) location.assign(outcome.download);
  if (outcome.go) location.assign(outcome.go);
  return outcome;
}

export function startActions() {
  expireNotices();
  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (!form.matches('form[data-quiet]')) return;
    event.preventDefault();
    if (form.id === 'theme-form') {
      setTheme('other');
      return;
    }
    const outcome = await act(form.getAttribute('action'), new FormData(form));
    if (outcome.said) notice(outcome.said, { bad: true });
  });
  // A piece that could not be had comes with a line that says why.
  document.addEventListener('htmx:response:error', (event) => {
    const { response, text } = event.detail.ctx;
    const said = response.headers.get('Content-Type')?.startsWith('text/plain') && text;
    if (response.status === 401) signInAgain();
    else notice(said || `That did not work (${response.status}).`, { bad: true });
  });
  // What a person asked for; what the page asks for by itself is silent.
  document.addEventListener('htmx:error', (event) => {
    if (event.target.matches('body, #messages, #panel-body')) {
      notice('The server cannot be reached.', { bad: true });
    }
  });
  // Who draws the conversation anew keeps the earlier messages that have been asked for.
  document.addEventListener('htmx:config:request', (event) => {
    const { target, request } = event.detail.ctx;
    if (target?.id === 'messages') request.body.set('first', firstTurn());
  });
  // A menu that is open closes when something else is pressed.
  document.addEventListener('click', (event) => {
    for (const menu of document.querySelectorAll('.row-menu[open]')) {
      if (!menu.contains(event.target) || event.target.closest('a, button')) menu.open = false;
    }
  });
}

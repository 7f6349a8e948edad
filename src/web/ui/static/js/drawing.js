// What is drawn in closed blocks after they have come: colours in code, formulas, copied text. The
// libraries for it are loaded when the first block needs them.
import { notice } from './actions.js';

const assets = document.body.dataset.assets;

const aliases = {
  'c++': 'cpp', cc: 'cpp', h: 'cpp', hpp: 'cpp', 'c#': 'csharp', cs: 'csharp', js: 'javascript',
  jsx: 'javascript', mjs: 'javascript', ts: 'typescript', tsx: 'typescript', py: 'python',
  python3: 'python', sh: 'bash', shell: 'bash', zsh: 'bash', console: 'bash', yml: 'yaml',
  html: 'xml', svg: 'xml', md: 'markdown', rs: 'rust', rb: 'ruby', golang: 'go', toml: 'ini',
  patch: 'diff', kt: 'kotlin', docker: 'dockerfile', jsonc: 'json',
};
const known = new Set(('bash c cmake cpp csharp css diff dockerfile go ini java javascript json ' +
  'kotlin lua markdown php python r ruby rust sql swift typescript xml yaml').split(' '));
const codeCharsMax = 60000;

const loaded = new Map();
const once = (key, load) => {
  if (!loaded.has(key)) loaded.set(key, load());
  return loaded.get(key);
};

async function highlighter(language) {
  const { default: core } = await once('core', () => import(`${assets}/hljs/core.js`));
  const grammar = await once(language, () => import(`${assets}/hljs/${language}.js`));
  if (!core.getLanguage(language)) core.registerLanguage(language, grammar.default);
  return core;
}

async function colour(code) {
  const written = /language-(\S+)/.exec(code.className)?.[1];
  const language = aliases[written] ?? written;
  if (!known.has(language) || code.textContent.length > codeCharsMax) return;
  const core = await highlighter(language);
  const { value } = core.highlight(code.textContent, { language, ignoreIllegals: true });
  // highlight.js escapes what it is given, and adds spans with classes.
  code.innerHTML = value;
  code.classList.add('hljs');
}

const katex = () => once('katex', () => new Promise((resolve, reject) => {
  const sheet = document.createElement('link');
  sheet.rel = 'stylesheet';
  sheet.href = `${assets}/katex/katex.css`;
  const script = document.createElement('script');
  script.src = `${assets}/katex/katex.js`;
  script.onload = () => resolve(window.katex);
  script.onerror = reject;
  document.head.append(sheet, script);
}));

async function formula(element) {
  const library = await katex();
  const source = element.textContent;
  try {
    library.render(source, element, {
      displayMode: element.classList.contains('display'),
      throwOnError: true,
      trust: false,
      maxSize: 20,
      maxExpand: 200,
    });
    element.title = source;
    element.classList.remove('tex');
  } catch {
    element.textContent = source; // as it was written
  }
}

// Draws what is new below `root`, a piece at a time so that typing is never held up.
const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 30));
function draw(root) {
  const fresh = (selector) => [...root.querySelectorAll(selector)].filter((element) => {
    if (element.dataset.drawn !== undefined) return false;
    element.dataset.drawn = '';
    return true;
  });
  for (const code of fresh('.blocks pre > code[class]')) idle(() => colour(code).catch(() => {}));
  for (const tex of fresh('.blocks .tex')) idle(() => formula(tex).catch(() => {}));
}

function copied(button) {
  const use = button.querySelector('use');
  const before = use.getAttribute('href');
  use.setAttribute('href', '#i-check');
  document.getElementById('say').textContent = 'Copied.';
  setTimeout(() => use.setAttribute('href', before), 1500);
}

// Pages that came without TLS, but for this machine's own, have no clipboard to write to; there a
// selection can be copied as by Ctrl+C.
function copySelected(text) {
  const focused = document.activeElement;
  const box = document.createElement('textarea');
  box.value = text;
  box.className = 'hidden-text';
  document.body.append(box);
  box.focus({ preventScroll: true });
  box.select();
  const done = document.execCommand('copy');
  box.remove();
  focused?.focus();
  if (!done) throw new Error('the browser does not copy');
}

// Puts text on the clipboard that may yet have to come; Safari asks that the writing begins while
// the button is pressed.
async function write(text) {
  if (!navigator.clipboard) {
    copySelected(await text);
  } else if (typeof text === 'string' || !window.ClipboardItem) {
    await navigator.clipboard.writeText(await text);
  } else {
    const blob = text.then((words) => new Blob([words], { type: 'text/plain' }));
    await navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
  }
}

async function fetchText(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the server says ${response.status}`);
  return response.text();
}

async function copy(button) {
  const { copy: selector, copyMarkdown } = button.dataset;
  if (copyMarkdown) await write(fetchText(copyMarkdown));
  else if (selector) await write(document.querySelector(selector).textContent);
  else await write(button.closest('.code').querySelector('code').textContent);
  copied(button);
}

export function startDrawing() {
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy], [data-copy-markdown], [data-copy-code]');
    if (button) copy(button).catch(() => notice('Could not copy.', { bad: true }));
  });
  const messages = document.getElementById('messages');
  if (!messages) return;
  draw(messages);
  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      draw(messages);
    }, 60);
  }).observe(messages, { childList: true, subtree: true });
}

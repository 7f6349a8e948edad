// The keyboard's ways around the page.
import { composing } from './composer.js';

const typing = (element) => element.matches('input, textarea, select, [contenteditable]');

export function startKeys() {
  document.addEventListener('keydown', (event) => {
    const cancel = event.target.dataset?.cancel;
    if (event.key === 'Escape') {
      const menu = event.target.closest?.('.row-menu[open]');
      if (menu) {
        menu.open = false;
        menu.querySelector('summary').focus();
        event.preventDefault();
      } else if (cancel) {
        event.preventDefault();
        leave(event.target, cancel);
      } else if (!document.querySelector('dialog[open], :popover-open') &&
                 document.querySelector('.bot .busy')) {
        document.getElementById('stop-form')?.requestSubmit();
      }
      return;
    }
    if (event.altKey && !event.ctrlKey && !event.metaKey) {
      // Where Alt writes letters of its own (macOS, Polish layouts) it goes on doing so.
      const name = { KeyN: '.new-chat', KeyS: '#search' }[event.code];
      if (!name || !/^[ns]$/i.test(event.key)) return;
      event.preventDefault();
      const element = document.querySelector(name);
      if (name === '#search') element.focus();
      else element.click();
      return;
    }
    if (event.key === '/' && !event.ctrlKey && !typing(event.target)) {
      event.preventDefault();
      document.getElementById('text')?.focus();
    }
    // Enter sends an edited message as it sends a new one.
    if (event.key === 'Enter' && !event.shiftKey && !composing(event) &&
        event.target.closest('.edit-form textarea')) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  });
}

// Leaves a field that replaced what it edits.
function leave(field, url) {
  const row = field.closest('.chat-row');
  const target = row ?? field.closest('.turn');
  window.htmx.ajax('GET', url, { target: `#${CSS.escape(target.id)}`, swap: 'outerHTML' })
    .then(() => document.getElementById('text')?.focus());
}

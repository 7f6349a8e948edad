// The menu of slash commands: a listbox that the text field keeps the focus of.
export function startCommands(text, send) {
  const menu = document.getElementById('commands');
  const options = [...menu.querySelectorAll('[role="option"]')];
  let from = -1; // where the slash is
  let chosen = null;

  const shown = () => options.filter((option) => !option.hidden);

  function choose(option) {
    chosen?.setAttribute('aria-selected', 'false');
    chosen = option ?? null;
    if (!chosen) {
      text.removeAttribute('aria-activedescendant');
      return;
    }
    chosen.setAttribute('aria-selected', 'true');
    chosen.scrollIntoView({ block: 'nearest' });
    text.setAttribute('aria-activedescendant', chosen.id);
  }

  function close() {
    from = -1;
    menu.hidden = true;
    text.setAttribute('aria-expanded', 'false');
    choose(null);
  }

  // The word that the caret is at the end of, if it begins with a slash.
  function update() {
    const before = text.value.slice(0, text.selectionStart);
    const match = /(?:^|\s)\/([a-z]*)$/i.exec(before);
    if (!match) {
      if (from >= 0) close();
      return;
    }
    from = before.length - match[1].length - 1;
    const word = match[1].toLowerCase();
    for (const option of options) option.hidden = !option.dataset.name.startsWith(word);
    const left = shown();
    if (!left.length) {
      close();
      return;
    }
    menu.hidden = false;
    text.setAttribute('aria-expanded', 'true');
    if (!left.includes(chosen)) choose(left[0]);
  }

  // A command that needs nothing more runs; one that does is written out.
  function pick(option, run) {
    const { name, argument } = option.dataset;
    const before = text.value.slice(0, from);
    const after = text.value.slice(text.selectionStart);
    const needs = argument !== '' && name === 'temp';
    close();
    if (run && !needs) {
      text.value = (before + after).trimEnd();
      const draft = text.value;
      send(`/${name}`).then(() => {
        if (draft && !text.value) text.value = draft;
      });
      return;
    }
    const written = `/${name}${argument ? ' ' : ''}`;
    text.value = before + written + after;
    const caret = before.length + written.length;
    text.setSelectionRange(caret, caret);
    text.focus();
  }

  text.setAttribute('role', 'combobox');
  text.setAttribute('aria-autocomplete', 'list');
  text.setAttribute('aria-expanded', 'false');
  text.addEventListener('input', update);
  text.addEventListener('click', update);
  text.addEventListener('blur', () => setTimeout(close, 150));
  menu.addEventListener('mousedown', (event) => event.preventDefault());
  menu.addEventListener('click', (event) => {
    const option = event.target.closest('[role="option"]');
    if (option) pick(option, true);
  });

  const moves = { ArrowDown: 1, ArrowUp: -1 };
  return {
    // Whether the key was the menu's.
    handle(event) {
      if (menu.hidden) return false;
      if (event.key in moves) {
        const left = shown();
        const at = left.indexOf(chosen) + moves[event.key];
        choose(left[(at + left.length) % left.length]);
      } else if (event.key === 'Enter' && !event.shiftKey) {
        pick(chosen, true);
      } else if (event.key === 'Tab') {
        pick(chosen, false);
      } else if (event.key === 'Escape') {
        close();
      } else {
        return false;
      }
      event.preventDefault();
      event.stopPropagation();
      return true;
    },
  };
}

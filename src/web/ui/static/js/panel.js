// Settings, model, help: pages of their own that open in a dialog where scripts run.
import { act, fetchInto } from './actions.js';

const panel = () => document.getElementById('panel');

// Where the panel does not come, what went wrong has been said and nothing opens.
export async function openPanel(url) {
  const dialog = panel();
  const body = document.getElementById('panel-body');
  body.replaceChildren();
  await fetchInto(body, url, 'innerHTML');
  if (!body.childElementCount) dialog.close();
  else if (!dialog.open) dialog.showModal();
}

// A slider and the number beside it say the same.
function pair(input) {
  const other = input.dataset.pair
    ? document.getElementById(input.dataset.pair)
    : document.querySelector(`[data-pair="${CSS.escape(input.id)}"]`);
  if (other) other.value = input.value;
}

async function submit(form) {
  const outcome = await act(form.getAttribute('action'), new FormData(form));
  if (!outcome.said) {
    panel().close();
    return;
  }
  let said = form.querySelector('.said');
  if (!said) {
    said = document.createElement('p');
    said.className = 'said';
    said.setAttribute('role', 'alert');
    form.querySelector('.foot').before(said);
  }
  said.textContent = outcome.said;
}

export function startPanel() {
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-panel]');
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      document.getElementById('sidebar').matches(':popover-open') &&
        document.getElementById('sidebar').hidePopover();
      openPanel(link.getAttribute('href'));
    }
    const close = event.target.closest('#panel [data-close]');
    if (close) {
      event.preventDefault();
      panel().close();
    }
    if (event.target === panel()) panel().close();
  });
  document.addEventListener('input', (event) => {
    if (event.target.closest('#panel')) pair(event.target);
  });
  document.addEventListener('submit', (event) => {
    if (!event.target.matches('#panel form[data-panel-form]')) return;
    event.preventDefault();
    submit(event.target);
  });
}

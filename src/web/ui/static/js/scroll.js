// The conversation stays at its end while text is added there, unless somebody has scrolled up.
const near = 80;
let box;
let jump;
let pinned = true;
let last = 0; // where it was when it was last looked at

const distance = () => box.scrollHeight - box.scrollTop - box.clientHeight;

function follow() {
  box.scrollTop = box.scrollHeight;
  last = box.scrollTop;
}

export function scrollToEnd() {
  if (!box) return;
  pinned = true;
  follow();
}

// Whether a wheel that turns up there moves the conversation, and no box inside of it.
function movesUp(element) {
  for (; element && element !== box; element = element.parentElement) {
    if (element.scrollTop > 0) return false;
  }
  return box.scrollTop > 0;
}

// Earlier messages are put in above what is read, which stays where it is.
function keepPlace(messages) {
  document.addEventListener('htmx:before:swap', (event) => {
    const { target, swap } = event.detail.ctx;
    if (target?.id !== 'earlier' || swap === 'none') return; // none: they could not be had
    const turn = messages.querySelector('.turn');
    const top = turn.getBoundingClientRect().top;
    new MutationObserver((_, observer) => {
      observer.disconnect();
      box.scrollTop += turn.getBoundingClientRect().top - top;
    }).observe(messages, { childList: true });
  });
}

export function startScroll() {
  box = document.getElementById('scroll');
  jump = document.getElementById('jump');
  const messages = document.getElementById('messages');
  if (!box || !messages) return;
  last = box.scrollTop;
  // Before the first pixel of it, or text that comes would take it back.
  box.addEventListener('wheel', (event) => {
    if (event.deltaY < 0 && !event.ctrlKey && movesUp(event.target)) pinned = false;
  }, { passive: true });
  box.addEventListener('scroll', () => {
    // Content that grows is no wish to leave the end; scrolling up is, until somebody comes back.
    if (box.scrollTop > last && distance() < near) pinned = true;
    else if (box.scrollTop < last && distance() >= near) pinned = false;
    last = box.scrollTop;
    jump.hidden = distance() < 400;
  }, { passive: true });
  jump.addEventListener('click', scrollToEnd);
  keepPlace(messages);
  new ResizeObserver(() => {
    if (pinned) follow();
  }).observe(messages.parentElement);
  const wanted = location.hash.startsWith('#m-') && document.getElementById(location.hash.slice(1));
  if (wanted) {
    pinned = false;
    wanted.scrollIntoView({ block: 'center' });
  } else {
    scrollToEnd();
  }
}

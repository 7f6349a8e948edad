// The conversation stays at its end while text is added there, unless somebody has scrolled up.
const near = 80;
let box;
let jump;
let pinned = true;

const distance = () => box.scrollHeight - box.scrollTop - box.clientHeight;

export function scrollToEnd() {
  if (!box) return;
  pinned = true;
  box.scrollTop = box.scrollHeight;
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
  let last = box.scrollTop;
  box.addEventListener('scroll', () => {
    // Content that grows is no wish to leave the end; scrolling up is.
    if (distance() < near) pinned = true;
    else if (box.scrollTop < last) pinned = false;
    last = box.scrollTop;
    jump.hidden = distance() < 400;
  }, { passive: true });
  jump.addEventListener('click', scrollToEnd);
  keepPlace(messages);
  new ResizeObserver(() => {
    if (pinned) box.scrollTop = box.scrollHeight;
  }).observe(messages.parentElement);
  const wanted = location.hash.startsWith('#m-') && document.getElementById(location.hash.slice(1));
  if (wanted) {
    pinned = false;
    wanted.scrollIntoView({ block: 'center' });
  } else {
    scrollToEnd();
  }
}

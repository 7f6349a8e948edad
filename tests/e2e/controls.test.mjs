// The list of chats, commands, settings, theme, the keyboard and small windows.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { answerText, done, openHome, PageServer, ready, send, serveFor } from './lib/page.mjs';

const server = new PageServer();
serveFor(server);

const home = (options) => openHome(server, options);

async function chat(text = 'hello', options = {}) {
  const page = await home(options);
  await send(page, text);
  return page;
}

async function command(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Escape'); // the menu
  await page.press('#text', 'Enter');
}

const notice = (page, text) => page.locator('.notice', { hasText: text }).waitFor();

test('chats are searched by what was said in them', async () => {
  const page = await chat('a zebra walks by');
  await page.goto(server.url);
  await page.fill('#search', 'zebra');
  await page.locator('.chat-row mark', { hasText: 'zebra' }).first().waitFor();
  await page.locator('.chat-row a').first().click();
  await page.locator('.bubble', { hasText: 'a zebra walks by' }).waitFor();
  await ready(page);
  await page.fill('#search', 'no such word anywhere');
  await page.locator('.empty-list', { hasText: 'Nothing found' }).waitFor();
  await done(page);
});

// Opens the form that renames the open chat, and sends it.
async function rename(page, title) {
  await page.locator('.chat-row.current summary').click();
  await page.locator('.chat-row.current .menu a', { hasText: 'Rename' }).click();
  await page.fill('.rename-form input[name="title"]', title);
  await page.press('.rename-form input[name="title"]', 'Enter');
}

test('a chat is renamed in its row, and wherever else its title is', async () => {
  const page = await chat();
  await page.locator('#chat-title', { hasText: 'About' }).waitFor();
  await rename(page, 'A better name');
  await page.locator('.chat-row.current .title', { hasText: 'A better name' }).waitFor();
  await page.locator('#chat-title', { hasText: 'A better name' }).waitFor();
  await page.waitForFunction(() => document.title.startsWith('A better name'));
  await page.reload();
  assert.equal(await page.locator('#chat-title').innerText(), 'A better name');
  await done(page);
});

test('a title is counted in characters, and one that cannot be is said to be so', async () => {
  const page = await chat();
  await page.locator('#chat-title', { hasText: 'About' }).waitFor();
  await rename(page, '   ');
  await notice(page, 'A title has 1 to 200 characters');
  await page.press('.rename-form input[name="title"]', 'Escape');
  await page.locator('.chat-row.current .title').waitFor();
  await rename(page, 'ж'.repeat(200));
  await page.locator('#chat-title', { hasText: 'ж'.repeat(200) }).waitFor();
  await done(page);
});

test('a chat is deleted, and the deletion undone', async () => {
  const page = await chat('to be deleted');
  await page.locator('#chat-title', { hasText: 'About' }).waitFor();
  const id = new URL(page.url()).pathname.split('/').at(-1);
  await page.locator('.chat-row.current summary').click();
  await page.locator('.chat-row.current .menu button.danger').click();
  await notice(page, 'The chat is deleted');
  assert.equal(await page.locator(`#row-${id}`).count(), 0);
  await page.locator('.notice button', { hasText: 'Undo' }).click();
  await page.locator(`#row-${id}`).waitFor();
  await page.locator(`#row-${id} summary`).click();
  await page.locator(`#row-${id} .menu button.danger`).click();
  await notice(page, 'The chat is deleted');
  const answer = await page.goto(`${server.url}/chats/${id}`);
  assert.equal(answer.status(), 404);
  assert.match(await page.locator('.hello').innerText(), /no such chat/i);
  await done(page);
});

test('a chat is exported as Markdown, JSON and text', async () => {
  const page = await chat('export me');
  for (const [format, pattern] of [
    ['md', /^# .*\n\n## You\n\nexport me\n\n## Answer\n\nYou said: export me/s],
    ['json', /"format":"notso-conversation"/], ['txt', /You:\nexport me/]]) {
    const download = page.waitForEvent('download');
    await command(page, `/export ${format}`);
    const file = await (await download).path();
    assert.match(readFileSync(file, 'utf8'), pattern);
  }
  await done(page);
});

test('the menu of commands filters, moves, completes and closes', async () => {
  const page = await chat();
  await page.fill('#text', '');
  await page.type('#text', 'see /');
  const menu = page.locator('#commands');
  await menu.waitFor();
  assert.equal(await page.locator('#commands [role="option"]:visible').count(), 14);
  await page.type('#text', 'the');
  assert.equal(await page.locator('#commands [role="option"]:visible').count(), 1);
  assert.equal(await page.getAttribute('#text', 'aria-activedescendant'), 'command-theme');
  await page.press('#text', 'Escape');
  assert.equal(await menu.isVisible(), false);
  await page.fill('#text', '');
  await page.type('#text', '/');
  await page.press('#text', 'ArrowDown');
  assert.equal(await page.getAttribute('#text', 'aria-activedescendant'), 'command-reset');
  await page.press('#text', 'ArrowUp');
  await page.press('#text', 'ArrowUp');
  assert.equal(await page.getAttribute('#text', 'aria-activedescendant'), 'command-regenerate');
  await page.fill('#text', '');
  await page.type('#text', '/te');
  await page.press('#text', 'Tab');
  assert.equal(await page.inputValue('#text'), '/temp ');
  await page.type('#text', '1.2');
  await page.press('#text', 'Enter');
  await notice(page, 'The temperature is 1.2');
  await page.fill('#text', 'a/b');
  assert.equal(await menu.isVisible(), false);
  await done(page);
});

test('what the server takes for a command is none of the messages', async () => {
  const page = await chat();
  await command(page, ' /help');
  await page.locator('#panel[open]', { hasText: 'Stream John' }).waitFor();
  assert.equal(await page.locator('#pending .bubble').count(), 0);
  await page.keyboard.press('Escape');
  await send(page, '/usr/bin is a path');
  assert.equal(await answerText(page), 'You said: /usr/bin is a path');
  await done(page);
});

test('an unknown command is said to be unknown and kept', async () => {
  const page = await chat();
  await command(page, '/frobnicate now');
  await page.locator('#said', { hasText: 'no command /frobnicate' }).waitFor();
  assert.equal(await page.inputValue('#text'), '/frobnicate now');
  await command(page, '/temp 9');
  await page.locator('#said', { hasText: 'from 0.0 to 2.0' }).waitFor();
  await done(page);
});

test('/clear removes the messages, and that is undone', async () => {
  const page = await chat();
  await command(page, '/clear');
  await notice(page, 'The messages are removed');
  await page.waitForFunction(() => !document.querySelector('.turn'));
  await page.locator('.notice button').click();
  await page.locator('.turn').waitFor();
  await done(page);
});

test('/reset leaves a line where the memory begins', async () => {
  const page = await chat();
  await command(page, '/reset');
  await notice(page, 'has forgotten');
  await page.locator('.divider', { hasText: 'remembers from here' }).waitFor();
  await send(page, 'a new start');
  assert.equal(await page.locator('.divider').count(), 1);
  await done(page);
});

test('a message that follows /reset is not lost below what is drawn anew', async () => {
  const page = await chat();
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await page.route(/\/messages\?/, async (route) => {
    const response = await route.fetch();
    await held;
    await route.fulfill({ response });
  });
  await command(page, '/reset');
  await notice(page, 'has forgotten');
  await page.fill('#text', 'a new start');
  await page.press('#text', 'Enter');
  await page.waitForTimeout(1500); // what does not wait has been answered
  const drawn = page.waitForResponse(/\/messages\?/);
  release();
  await drawn;
  await page.waitForTimeout(300);
  await page.locator('.md', { hasText: 'You said: a new start' }).waitFor();
  await page.locator('.divider', { hasText: 'remembers from here' }).waitFor();
  assert.equal(await page.locator('.turn').count(), 2);
  await done(page);
});

test('/thinking and the switch change the same setting', async () => {
  const page = await chat();
  assert.equal(await page.isChecked('#thinking'), true);
  await command(page, '/thinking off');
  await notice(page, 'without thinking');
  assert.equal(await page.isChecked('#thinking'), false);
  const kept = page.waitForResponse(/\/thinking$/);
  await page.locator('#thinking').check();
  await kept;
  await page.reload();
  assert.equal(await page.isChecked('#thinking'), true);
  await done(page);
});

test('/quote streams John 1:1-14', async () => {
  const page = await chat();
  await command(page, '/quote');
  await page.locator('.md', { hasText: 'full of grace and truth' }).waitFor();
  const text = await answerText(page);
  assert.match(text, /^John 1:1-14\s+1 In the beginning was the Word/);
  for (let verse = 1; verse <= 14; verse += 1) assert.ok(text.includes(`\n${verse} `), verse);
  await done(page);
});

test('/regenerate, /continue and /summarize make the model work', async () => {
  const page = await chat('first');
  await command(page, '/regenerate');
  await page.locator('.bot .branches', { hasText: '2 / 2' }).waitFor();
  await page.waitForFunction(() => !document.querySelector('#messages .busy'));
  await command(page, '/continue');
  await page.locator('.md', { hasText: 'and more' }).waitFor();
  await page.waitForFunction(() => !document.querySelector('#messages .busy'));
  await command(page, '/summarize');
  await page.locator('.md', { hasText: 'Summarise our conversation' }).waitFor();
  await done(page);
});

test('/help, /model, /status and /settings open panels that Escape closes', async () => {
  const page = await chat();
  for (const [name, pattern] of [['help', /Stream John/], ['model', /Q4_K_M/],
    ['status', /Running/], ['settings', /System prompt/]]) {
    await command(page, `/${name}`);
    await page.locator('#panel[open]', { hasText: pattern }).waitFor();
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !document.querySelector('#panel').open);
  }
  await done(page);
});

test('a panel that is slow to come gives way to the next one', async () => {
  const page = await chat();
  await page.route('**/help', () => {}); // it never comes
  await page.locator('.sidebar-foot a[aria-label="Help"]').click();
  await page.locator('.sidebar-foot a[aria-label="Settings"]').click();
  await page.locator('#panel[open]', { hasText: 'System prompt' }).waitFor();
  await done(page);
});

test('a panel that does not come opens no empty window', async () => {
  const page = await chat();
  await page.route('**/help', (route) => route.fulfill({ status: 500, body: '' }));
  await page.locator('.sidebar-foot a[aria-label="Help"]').click();
  await notice(page, 'That did not work (500)');
  assert.equal(await page.locator('#panel[open]').count(), 0);
  await page.unroute('**/help');
  await page.route('**/help', (route) => route.abort());
  await page.locator('.sidebar-foot a[aria-label="Help"]').click();
  await notice(page, 'cannot be reached');
  assert.equal(await page.locator('#panel[open]').count(), 0);
  await done(page);
});

test('a page whose sign-in has ended loads anew, with what is typed', async () => {
  const page = await chat();
  await page.fill('#text', 'half a message');
  await page.evaluate(() => { window.before = true; });
  await page.route('**/help', (route) => route.fulfill({ status: 401, body: '' }));
  await page.locator('.sidebar-foot a[aria-label="Help"]').click();
  await page.waitForFunction(() => !window.before && document.documentElement.dataset.ready === '');
  assert.equal(await page.inputValue('#text'), 'half a message');
  await done(page);
});

test('settings are checked, saved and shown again', async () => {
  const page = await chat();
  await page.locator('.sidebar-foot a[aria-label="Settings"]').click();
  await page.locator('#panel[open] #s-temperature').fill('1.3');
  assert.equal(await page.inputValue('[data-pair="s-temperature"]'), '1.3');
  await page.fill('#s-system', 'Answer in rhymes.');
  await page.locator('#panel input[name="tools"]').uncheck();
  await page.locator('#panel button', { hasText: 'Save' }).click();
  await notice(page, 'settings are saved');
  await page.locator('.sidebar-foot a[aria-label="Settings"]').click();
  await page.locator('#panel[open] #s-temperature').waitFor();
  assert.equal(await page.inputValue('#s-temperature'), '1.3');
  assert.equal(await page.inputValue('#s-system'), 'Answer in rhymes.');
  assert.equal(await page.isChecked('#panel input[name="tools"]'), false);
  const refused = await page.request.post(`${server.url}/settings`, {
    form: { temperature: 'nan', top_p: '1', max_tokens: '0' },
    headers: { Origin: server.url, 'X-Notso': 'page' } });
  assert.equal(refused.status(), 400);
  await done(page);
});

test('the theme follows the system until it is chosen', async () => {
  const page = await home({ colorScheme: 'dark' });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.emulateMedia({ colorScheme: 'light' });
  assert.notEqual(await ground(), dark);
  await page.click('#theme-button');
  assert.equal(await ground(), dark);
  await page.reload();
  assert.equal(await ground(), dark);
  await command(page, '/theme');
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'light');
  await done(page);
});

test('surfaces are soft: raised at rest, pressed in when pressed', async () => {
  const page = await chat();
  const style = (selector, name) => page.locator(selector).first().evaluate(
    (element, property) => getComputedStyle(element)[property], name);
  assert.equal(await style('body', 'backgroundColor'), 'rgb(224, 229, 236)');
  assert.equal(await style('body', 'color'), 'rgb(45, 52, 54)');
  assert.equal(await style('.send', 'backgroundColor'), 'rgb(95, 39, 205)');
  assert.equal(await style('.dot.ready', 'backgroundColor'), 'rgb(0, 210, 211)');
  assert.match(await style('.new-chat', 'transition'), /box-shadow 0\.3s/);
  assert.doesNotMatch(await style('.new-chat', 'boxShadow'), /inset/);
  assert.equal((await style('.new-chat', 'boxShadow')).match(/rgba?\(/g).length, 2);
  await page.hover('.new-chat');
  await page.mouse.down();
  await page.waitForFunction(
    () => /inset/.test(getComputedStyle(document.querySelector('.new-chat')).boxShadow));
  await page.mouse.move(0, 0);
  await page.mouse.up();
  assert.ok((await page.locator('.column').first().boundingBox()).width <= 800);
  await page.setViewportSize({ width: 769, height: 800 });
  assert.equal(await page.locator('#sidebar').isVisible(), true);
  await page.setViewportSize({ width: 768, height: 800 });
  assert.equal(await page.locator('#sidebar').isVisible(), false);
  await done(page);
});

test('the context bar gives both numbers', async () => {
  const page = await chat();
  await page.locator('.context span', { hasText: /^\d+ \/ 4096 tokens$/ }).waitFor();
  const meter = page.locator('.context meter');
  assert.equal(await meter.getAttribute('low'), '2867');
  assert.equal(await meter.getAttribute('high'), '3686');
  await done(page);
});

test('on a phone the list is a drawer and nothing is wider than the screen', async () => {
  const page = await home({ viewport: { width: 375, height: 720 }, hasTouch: true });
  assert.equal(await page.locator('#sidebar').isVisible(), false);
  await send(page, 'markdown');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await page.tap('.topbar .open');
  await page.locator('#sidebar .chat-row').first().waitFor();
  const small = await page.evaluate(() => [...document.querySelectorAll(
    'button, a.button, a.icon-button, a.badge, summary, .chat-row > a, .followups a')]
    .filter((element) => element.checkVisibility())
    .map((element) => ({ name: element.className || element.tagName,
      box: element.getBoundingClientRect() }))
    .filter(({ name, box }) => box.height > 0 && (box.height < 44 || box.width < 44))
    .map(({ name, box }) => `${name} ${box.width}x${box.height}`));
  assert.deepEqual(small, []);
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#sidebar').isVisible(), false);
  await done(page);
});

test('everything is reached by the keyboard alone', async () => {
  const page = await home();
  await page.locator('#text:focus').waitFor();
  await page.keyboard.type('keyboard only');
  await page.keyboard.press('Enter');
  await page.locator('.md', { hasText: 'You said: keyboard only' }).waitFor();
  await page.locator('#chat-title', { hasText: 'About' }).waitFor();
  await ready(page);
  await page.keyboard.press('Alt+s');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
  const wanted = ['text', 'Send', 'thinking', 'Settings', 'Copy the answer', 'Answer again'];
  const seen = new Set();
  for (let i = 0; i < 150 && !wanted.every((name) => seen.has(name)); i += 1) {
    await page.keyboard.press('Tab');
    seen.add(await page.evaluate(() => {
      const element = document.activeElement;
      return element.id || element.getAttribute('aria-label') || element.className;
    }));
  }
  for (const name of wanted) assert.ok(seen.has(name), `${name} is not reached: ${[...seen]}`);
  await page.locator('#scroll').focus();
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
  await page.keyboard.press('Alt+n');
  await page.waitForURL(`${server.url}/`);
  await done(page);
});

test('keys that put characters together stay the input method\'s', async () => {
  const page = await chat();
  await page.fill('#text', 'typed');
  // Whether the page takes a key for itself.
  const taken = (init) => page.locator('#text').evaluate((element, options) =>
    !element.dispatchEvent(new KeyboardEvent('keydown',
      { bubbles: true, cancelable: true, ...options })), init);
  assert.equal(await taken({ key: 'Dead', code: 'KeyN', altKey: true }), false);
  assert.equal(await taken({ key: 'ś', code: 'KeyS', altKey: true }), false);
  assert.equal(await taken({ key: 'Enter', code: 'Enter', keyCode: 229 }), false);
  assert.equal(await page.inputValue('#text'), 'typed');
  assert.equal(await taken({ key: 's', code: 'KeyS', altKey: true }), true);
  await done(page);
});

test('reduced motion leaves no animation running', async () => {
  const page = await home({ reducedMotion: 'reduce' });
  await send(page, 'wait', { wait: false });
  await page.locator('.busy').waitFor();
  await page.waitForFunction(() => document.getAnimations()
    .every((animation) => animation.playState !== 'running'));
  await done(page);
});

test('right-to-left text is set from the right', async () => {
  const page = await chat('مرحبا بالعالم');
  assert.equal(await page.locator('.bubble').evaluate(
    (element) => getComputedStyle(element).direction), 'rtl');
  await done(page);
});

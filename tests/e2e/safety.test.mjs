// Hostile text never runs, and everybody can use the page.
import axe from 'axe-core';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatOf, openPage, PageServer, send, serveFor } from './lib/page.mjs';

const payloads = [
  '<script>window.pwned = 1</script>',
  '<img src=x onerror="window.pwned = 1">',
  '<svg onload="window.pwned = 1"><animate onbegin="window.pwned = 1" attributeName=x></svg>',
  '[x](javascript:window.pwned=1)',
  '[x](https://a.b/"onmouseover="window.pwned=1)',
  '<a href="javascript:window.pwned=1">x</a>',
  '<div hx-get="/settings" hx-trigger="load" hx-on:click="window.pwned=1">x</div>',
  '```" onmouseover="window.pwned=1\n</code></pre><script>window.pwned=1</script>\n```',
  '$</span><script>window.pwned=1</script>$ \\(\\href{javascript:window.pwned=1}{x}\\)',
  '| <img src=x onerror=window.pwned=1> |\n|---|\n| <iframe src="javascript:1"></iframe> |',
  '<hx-partial hx-target="body" hx-swap="innerHTML"><b>pwned</b></hx-partial>',
  '"><form action="//evil.example"><input name=a autofocus onfocus="window.pwned=1"></form>',
];

const stored = payloads.flatMap((text) => [text, text]);
const server = new PageServer({ chats: payloads.map((text, index) =>
  chatOf(text, index === 0 ? stored : ['question', '', text, text], index === 0 ? {
    24: { reasoning: payloads[1], tool_calls: [{ id: payloads[2], name: payloads[0],
      arguments: payloads[6] }], followups: payloads.slice(0, 3), error: payloads[1] },
  } : {
    2: { finish: 'tool_calls', tool_calls: [{ id: 'call_1', name: text, arguments: text }] },
    3: { role: 'tool', tool_call_id: 'call_1' },
    4: { role: 'assistant' },
  })) });
serveFor(server);

// Whether anything of the payloads has become live.
async function assertHarmless(page) {
  const found = await page.evaluate(() => {
    const bad = [];
    if (window.pwned) bad.push('a payload ran');
    const inside = '.bubble, .md, .thought, .tool .body, .title, #chat-title, .snippet';
    for (const box of document.querySelectorAll(inside)) {
      for (const element of box.querySelectorAll('*')) {
        if (/^(script|iframe|img|form|input|object|embed|hx-partial)$/i.test(element.tagName)) {
          bad.push(element.outerHTML);
        }
        for (const { name, value } of element.attributes) {
          if (/^(on|hx-|data-hx-)/.test(name) || /^\s*javascript:/i.test(value)) {
            bad.push(element.outerHTML);
          }
        }
      }
    }
    if (document.querySelectorAll('form[action^="//"]').length) bad.push('a foreign form');
    return bad;
  });
  assert.deepEqual(found, []);
  assert.deepEqual(page.faults, []);
}

test('the headers allow nothing inline, nothing foreign and no frames', async () => {
  const page = await openPage(server);
  const response = await page.goto(server.url);
  const policy = response.headers()['content-security-policy'];
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/);
  assert.equal(response.headers()['x-content-type-options'], 'nosniff');
  await page.context().close();
});

test('stored payloads stay text: titles, messages, thoughts, tools, suggestions', async () => {
  const page = await openPage(server);
  await page.goto(server.url);
  await assertHarmless(page);
  const chats = await page.locator('.chat-row > a').evaluateAll(
    (links) => links.map((link) => link.getAttribute('href')));
  assert.equal(chats.length, payloads.length);
  for (const chat of chats) {
    await page.goto(server.url + chat);
    for (const card of await page.locator('.tool > summary').all()) await card.click();
    await page.waitForTimeout(100); // what would run has run
    await assertHarmless(page);
  }
  await page.fill('#search', 'pwned');
  await page.waitForTimeout(600);
  await assertHarmless(page);
  await page.context().close();
});

test('payloads that a person sends and the model writes stay text as they stream', async () => {
  const page = await openPage(server);
  await page.goto(server.url);
  await send(page, 'hostile');
  for (const payload of payloads) await send(page, payload);
  await page.waitForTimeout(300);
  await assertHarmless(page);
  await page.reload();
  await page.waitForTimeout(300);
  await assertHarmless(page);
  await page.context().close();
});

// Findings of axe that would keep somebody from using the page.
async function assertAccessible(page, view) {
  await page.evaluate(axe.source);
  const findings = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) =>
        `${html.slice(0, 160)} ${failureSummary}`).join('\n')}`);
  });
  assert.deepEqual(findings, [], view);
}

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing serious in the ${colorScheme} theme`, async () => {
    const page = await openPage(server, { colorScheme, bypassCSP: true, reducedMotion: 'reduce' });
    await page.goto(server.url);
    await assertAccessible(page, 'the first page');
    for (const text of ['think', 'tool', 'markdown', 'fail']) await send(page, text);
    await page.locator('.katex').first().waitFor();
    await page.locator('.hljs-keyword').first().waitFor();
    await page.locator('.thinking summary').first().click();
    await page.locator('.tool summary').first().click();
    await page.locator('.pill summary').first().click();
    await assertAccessible(page, 'a chat');
    await page.fill('#text', '');
    await page.type('#text', '/');
    await page.locator('#commands').waitFor();
    await assertAccessible(page, 'the menu');
    await page.fill('#text', '');
    await page.fill('#search', 'said');
    await page.waitForTimeout(500);
    await assertAccessible(page, 'a search');
    await page.locator('.user').first().hover();
    await page.locator('a[aria-label="Edit this message"]').first().click();
    await page.locator('.edit-form').waitFor();
    await assertAccessible(page, 'an edit');
    for (const panel of ['settings', 'help', 'model', 'status']) {
      await page.goto(`${server.url}/${panel}`);
      await assertAccessible(page, panel);
    }
    await page.goto(server.url);
    await page.locator('.sidebar-foot a[aria-label="Settings"]').click();
    await page.locator('#panel[open]').waitFor();
    await assertAccessible(page, 'a dialog');
    await page.goto(`${server.url}/chats/none`);
    await assertAccessible(page, 'an error');
    await page.setViewportSize({ width: 375, height: 720 });
    await page.goto(server.url);
    await page.click('.topbar .open');
    await assertAccessible(page, 'the drawer');
    await page.context().close();
  });
}

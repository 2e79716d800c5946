// Plays each case that stands on standard input in headless Chromium; prints one line of JSON a case.
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const { chromium } = createRequire(join(process.env.NEAP_BROWSER, 'x.js'))('playwright-core');
const profile = mkdtempSync(join(tmpdir(), 'neap-chromium-'));
const { cases, together } = JSON.parse(await new Response(process.stdin).text());

// The flags that keep a fresh Chromium from calling home on a closed network.
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.NEAP_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  // Directly, the origin's own certificate is met, whose root is made for the run.
  ignoreHTTPSErrors: true,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--mute-audio', '--autoplay-policy=no-user-gesture-required',
    '--disable-background-timer-throttling', '--disable-renderer-backgrounding',
    '--disable-backgrounding-occluded-windows'],
});

async function play(one) {
  const page = await browser.newPage();
  const statuses = [];
  let requests = 0;
  let outside = 0;
  page.on('console', (line) => {
    // dash.js complains that it was given no keys, and asks the licence server.
    if (line.text().includes('Failed to retrieve clearkeys')) return;
    if (line.type() === 'error') statuses.push(`console: ${line.text().slice(0, 300)}`);
  });
  page.on('request', (request) => {
    const address = new URL(request.url());
    if (!address.protocol.startsWith('http') || address.pathname.startsWith('/pages/')) return;
    requests += 1;
    const hosts = [one.url, ...one.hosts].map((url) => new URL(url).origin);
    if (!hosts.includes(address.origin)) outside += 1;
  });
  page.on('response', (reply) => {
    if (reply.status() >= 400 && !reply.url().endsWith('favicon.ico')) {
      statuses.push(`${reply.status()} ${reply.url()}`);
    }
  });
  try {
    await page.goto(one.page);
    const said = await page.evaluate((options) => globalThis.trial(options), one);
    return { ...said, statuses, requests, outside };
  } catch (error) {
    return { errors: [String(error)], stalls: [], statuses, requests, outside };
  } finally {
    await page.close();
  }
}

const waiting = [...cases];
const worker = async () => {
  for (let one = waiting.shift(); one; one = waiting.shift()) {
    const begin = Date.now();
    const said = await play(one);
    console.log(JSON.stringify({ name: one.name, seconds: (Date.now() - begin) / 1000, ...said }));
  }
};
try {
  await Promise.all(Array.from({ length: together }, worker));
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}

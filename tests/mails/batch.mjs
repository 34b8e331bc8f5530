// Runs the judges that are written in JavaScript on many mails in one process, which saves
// starting Node for each and Java for each but one:
// node batch.mjs JUDGES OUT IMAGES judge[,judge…] MAIL…
// Writes OUT/MAIL.JUDGE.json as all.py does, and pictures to OUT/shots when SHOTS is set.
import child from 'node:child_process';
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [judges, out, images, names, ...mails] = process.argv.slice(2);
const module = (name) => pathToFileURL(path.join(judges, name)).href;
const { load } = await import(module('lib/mailkit.mjs'));
const stem = (mail) => path.basename(mail, '.eml');

/** What the Nu checker says of each mail, by its HTML: one Java for all of them. */
function nu() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'judge-nu-'));
  const files = mails.map((mail) => {
    const file = path.join(dir, `${stem(mail)}.html`);
    fs.writeFileSync(file, load(mail).html || '');
    return file;
  });
  const jar = createRequire(path.join(judges, 'package.json'))('vnu-jar');
  const run = child.spawnSync('java', ['-Xss4m', '-jar', jar, '--format', 'json', '--exit-zero-always', ...files], { maxBuffer: 1 << 30 });
  const { messages } = JSON.parse(run.stderr.toString().trim() || '{"messages":[]}');
  const said = new Map(files.map((file) => [fs.readFileSync(file, 'utf8'), messages.filter((one) => one.url === pathToFileURL(file).href)]));
  fs.rmSync(dir, { recursive: true });
  return said;
}

const wanted = names.split(',');
if (wanted.includes('markup')) {
  const said = nu();
  const spawn = child.spawnSync;
  child.spawnSync = (command, args, ...rest) => {
    const known = command === 'java' && said.get(fs.readFileSync(args.at(-1), 'utf8'));
    return known ? { stdout: Buffer.from(''), stderr: Buffer.from(JSON.stringify({ messages: known })) } : spawn(command, args, ...rest);
  };
  syncBuiltinESMExports();
}
const print = console.log;
for (const [turn, mail] of mails.entries()) {
  for (const judge of wanted) {
    const shots = judge === 'render' && process.env.SHOTS ? ['--out', path.join(out, 'shots', stem(mail))] : [];
    process.argv = [process.argv[0], `${judge}_judge.mjs`, mail, '--images', images, ...shots];
    let said = '';
    console.log = (...words) => { said += `${words.join(' ')}\n`; };
    try {
      // Each query string is a module of its own, so the script runs again.
      await import(`${module(`${judge}_judge.mjs`)}?${turn}`);
    } catch (error) {
      console.error(`${stem(mail)}: ${judge}: ${error.stack}`);
    }
    console.log = print;
    fs.writeFileSync(path.join(out, `${stem(mail)}.${judge}.json`), said);
  }
}

/** Makes pages of both languages before the site is built: those of the packages from their READMEs, the names of Keras from what is exported, the figures of formats from what was measured. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatsPage, kerasPage } from '@recurra/testing';

const here = dirname(fileURLToPath(import.meta.url));
const chinese = JSON.parse(readFileSync(join(here, 'zh', 'package-summaries.json'), 'utf8'));

mkdirSync(join(here, 'packages'), { recursive: true });
mkdirSync(join(here, 'zh', 'packages'), { recursive: true });
for (const [name, summary] of Object.entries(chinese)) {
  const readme = readFileSync(join(here, '..', 'packages', name, 'README.md'), 'utf8');
  writeFileSync(join(here, 'packages', `${name}.md`), readme);
  const title = /^# (.+)$/m.exec(readme)[1];
  const blocks = [...readme.matchAll(/```(?:sh|ts)\n[\s\S]*?```/g)].map((m) => m[0]);
  writeFileSync(
    join(here, 'zh', 'packages', `${name}.md`),
    `# ${title}\n\n${summary}\n\n${blocks.join('\n\n')}\n\n完整说明见[英文页面](/packages/${name})，全部接口见 [API 参考](/api/index.html)。\n`,
  );
}

const names = JSON.parse(readFileSync(join(here, '..', 'packages', 'testing', 'keras', 'names.json'), 'utf8'));
writeFileSync(join(here, 'keras.md'), kerasPage(names));
writeFileSync(join(here, 'zh', 'keras.md'), kerasPage(names, 'zh'));

const matrix = JSON.parse(readFileSync(join(here, '..', 'packages', 'testing', 'formats', 'matrix.json'), 'utf8'));
writeFileSync(join(here, 'formats.md'), formatsPage(matrix));
writeFileSync(join(here, 'zh', 'formats.md'), formatsPage(matrix, 'zh'));

import { defineConfig } from 'vitepress';

const PACKAGES = [
  'tensor',
  'autograd',
  'compiler',
  'cells',
  'optim',
  'preprocessing',
  'formats',
  'layers',
  'kernels',
  'native',
  'recurra',
];

const sidebar = (
  base: string,
  text: {
    start: string;
    models: string;
    guide: string;
    data: string;
    callbacks: string;
    keras: string;
    formats: string;
    course: string;
    chapter: string;
    second: string;
    packages: string;
    architecture: string;
  },
) => [
  {
    text: text.guide,
    items: [
      { text: text.start, link: `${base}/getting-started` },
      { text: text.models, link: `${base}/models` },
      { text: text.data, link: `${base}/data` },
      { text: text.callbacks, link: `${base}/callbacks` },
      { text: text.keras, link: `${base}/keras` },
      { text: text.formats, link: `${base}/formats` },
      { text: text.architecture, link: `${base}/architecture` },
    ],
  },
  {
    text: text.course,
    items: [
      { text: text.chapter, link: `${base}/course/recurrent-networks` },
      { text: text.second, link: `${base}/course/transformers` },
    ],
  },
  {
    text: text.packages,
    items: PACKAGES.map((name) => ({
      text: name === 'recurra' ? name : `@recurra/${name}`,
      link: `${base}/packages/${name}`,
    })),
  },
];

export default defineConfig({
  title: 'Recurra',
  description: 'Deep learning for sequences, native to TypeScript',
  srcExclude: ['**/public/**'],
  // The API reference is plain HTML made by TypeDoc, outside of the pages that VitePress knows.
  ignoreDeadLinks: [/^\/api\//],
  themeConfig: { search: { provider: 'local' }, outline: [2, 3] },
  locales: {
    root: {
      label: 'English',
      lang: 'en',
      themeConfig: {
        nav: [
          { text: 'Getting started', link: '/getting-started' },
          { text: 'Course', link: '/course/recurrent-networks' },
          { text: 'API', link: '/api/index.html', target: '_blank' },
        ],
        sidebar: sidebar('', {
          guide: 'Guide',
          start: 'Getting started',
          models: 'Models and layers',
          data: 'Data and text',
          callbacks: 'Long work',
          keras: 'Names of Keras',
          formats: 'Formats: there and back',
          architecture: 'Architecture',
          course: 'Course',
          chapter: '1. Recurrent networks',
          second: '2. Attention and Transformers',
          packages: 'Packages',
        }),
      },
    },
    zh: {
      label: '简体中文',
      lang: 'zh-CN',
      themeConfig: {
        nav: [
          { text: '快速上手', link: '/zh/getting-started' },
          { text: '课程', link: '/zh/course/recurrent-networks' },
          { text: 'API', link: '/api/index.html', target: '_blank' },
        ],
        sidebar: sidebar('/zh', {
          guide: '指南',
          start: '快速上手',
          models: '模型与层',
          data: '数据与文本',
          callbacks: '长时间训练',
          keras: 'Keras 的名称',
          formats: '格式：往返对照',
          architecture: '架构',
          course: '课程',
          chapter: '第一章 循环神经网络',
          second: '第二章 注意力与 Transformer',
          packages: '各个包',
        }),
      },
    },
  },
});

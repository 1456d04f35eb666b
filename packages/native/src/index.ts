export { type Binding, loadBinding, type NativeEngine } from './binding.js';

#!/usr/bin/env node
import { main } from '../dist/text-worker.js';

await main(process.argv.slice(2));

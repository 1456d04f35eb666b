#!/usr/bin/env node
import { supervise } from '../dist/supervisor.js';

supervise(process.argv.slice(2));

import { simulateSeeds } from './seeds.ts';

simulateSeeds({ part: 1, parts: 4 });

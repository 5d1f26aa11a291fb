import { simulateSeeds } from './seeds.ts';

simulateSeeds({ part: 2, parts: 4 });

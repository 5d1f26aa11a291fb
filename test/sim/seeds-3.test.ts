import { simulateSeeds } from './seeds.ts';

simulateSeeds({ part: 3, parts: 4 });

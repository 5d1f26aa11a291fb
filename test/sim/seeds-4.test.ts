import { simulateSeeds } from './seeds.ts';

simulateSeeds({ part: 4, parts: 4 });

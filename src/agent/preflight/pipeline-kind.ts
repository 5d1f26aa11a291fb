/** The two kinds of pipelines that an index may name by default: documents go through one, searches through the other. */
export const pipelineKinds = ['ingest', 'search'] as const;
export type PipelineKind = (typeof pipelineKinds)[number];

package io.ambo.cluster.metrics;

/** One entry of a counter catalogue. The catalogues are enums; their order is the id, so entries are only ever added at the end. */
public interface CounterName {
    /** As the CLI and Prometheus spell it: lower case, underscores, no unit prefix. */
    String label();

    /** One sentence for the operator. */
    String help();
}

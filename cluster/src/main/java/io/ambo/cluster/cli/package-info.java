/** The operator's command line: asks a node over its control socket and prints the answer. */
@NullMarked
package io.ambo.cluster.cli;

import org.jspecify.annotations.NullMarked;

/** The control API: a unix socket for the CLI, and the answers of this node and of the whole cluster. */
@NullMarked
package io.ambo.node.control;

import org.jspecify.annotations.NullMarked;

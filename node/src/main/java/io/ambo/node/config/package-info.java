/** The node's configuration: immutable records, read whole, checked whole, every problem reported at once. */
@NullMarked
package io.ambo.node.config;

import org.jspecify.annotations.NullMarked;

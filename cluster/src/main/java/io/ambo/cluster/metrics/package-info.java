@NullMarked
package io.ambo.cluster.metrics;

import org.jspecify.annotations.NullMarked;

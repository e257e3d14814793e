@NullMarked
package io.ambo.cluster.replication;

import org.jspecify.annotations.NullMarked;

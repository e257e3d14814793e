@NullMarked
package io.ambo.cluster.jgroups;

import org.jspecify.annotations.NullMarked;

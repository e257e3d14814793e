@NullMarked
package io.ambo.cluster.session;

import org.jspecify.annotations.NullMarked;

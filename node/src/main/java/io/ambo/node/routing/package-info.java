@NullMarked
package io.ambo.node.routing;

import org.jspecify.annotations.NullMarked;

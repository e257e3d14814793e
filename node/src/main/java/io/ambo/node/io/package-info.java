@NullMarked
package io.ambo.node.io;

import org.jspecify.annotations.NullMarked;

@NullMarked
package io.ambo.node.fastpath;

import org.jspecify.annotations.NullMarked;

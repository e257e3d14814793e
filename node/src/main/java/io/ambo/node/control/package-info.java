@NullMarked
package io.ambo.node.control;

import org.jspecify.annotations.NullMarked;

/** The server answers /assets/uplot.js with the module of the package. */
export { default } from 'uplot';

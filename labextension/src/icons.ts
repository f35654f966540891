/** The icons Lab does not have; they take the theme's colours. */
import { LabIcon } from '@jupyterlab/ui-components';

import camera from '../style/icons/camera.svg';
import power from '../style/icons/power.svg';
import sandbox from '../style/icons/sandbox.svg';
import step from '../style/icons/step.svg';

export const sandboxIcon = new LabIcon({ name: 'jupyter-sandbox:sandbox', svgstr: sandbox });
export const stepIcon = new LabIcon({ name: 'jupyter-sandbox:step', svgstr: step });
export const snapshotIcon = new LabIcon({ name: 'jupyter-sandbox:snapshot', svgstr: camera });
export const killIcon = new LabIcon({ name: 'jupyter-sandbox:kill', svgstr: power });

// Loads the code of a live picture (live.js, which comes with the first model of a page) once for all models. A page
// loads a module for every model and never lets go of one, nor does Lab of a model that was closed: with all the code
// in each, every picture that was ever shown would cost a page a hundred kilobytes.

const address = (code) => URL.createObjectURL(new Blob([code], { type: "text/javascript" }));

const widget = async (model) => {
  const mark = `jupyter-sandbox.live.${model.get("edition")}`;
  const code = model.get("code");
  if (code) globalThis[mark] ??= import(address(code));
  model.set("code", "");
  return (await globalThis[mark])?.default;
};

export default {
  initialize: async ({ model }) => (await widget(model))?.initialize({ model }),
  render: async ({ model, el }) => (await widget(model))?.render({ model, el }),
};
